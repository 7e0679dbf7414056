#!/bin/sh
# Compiles the code of the README: the first workflow with the SDK, and the last one without.
set -eu
sdk=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
awk -v dir="$dir" '/^```c$/ { n++; inside = 1; next } /^```$/ { inside = 0 } inside { print > (dir "/" n ".c") }' "$sdk/README.md"
last=$(ls "$dir" | sort -n | tail -1)
"$sdk/build.sh" "$dir/first.wasm" "$dir/1.c"
python=python3
if [ -n "${REFRAIN_PYTHON_ENV:-}" ]; then python=$REFRAIN_PYTHON_ENV/bin/python; fi
"$python" -m ziglang cc -target wasm32-freestanding -nostdlib -Wl,--no-entry -Os -Wall -Wextra -Werror \
    -o "$dir/last.wasm" "$dir/$last"
wc -c "$dir"/*.wasm
if [ -n "${1:-}" ]; then cp "$dir"/*.wasm "$1"; fi
