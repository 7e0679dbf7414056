#!/bin/sh
# Builds the tests with $CC (cc) and checks for undefined behaviour and bad memory, and runs them: run.sh [NAME-PART]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${REFRAIN_BUILD_DIR:-}
if [ -z "$dir" ]; then
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
fi
${CC:-cc} -std=c11 -g -O1 -Wall -Wextra -Wpedantic -Werror -fsanitize=address,undefined -fno-sanitize-recover \
    -I "$here/../include" -I "$here/../testing" -o "$dir/tests" \
    "$here"/*.c "$here"/../testing/*.c "$here"/../src/*.c
"$dir/tests" "$@"
