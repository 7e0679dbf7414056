#!/bin/sh
# Compiles a component of C files and the SDK: build.sh OUT.wasm FILE...
#
# With zig, which brings a C library for WebAssembly: of the Python environment that $REFRAIN_PYTHON_ENV names, or of python3.
# $CC names another compiler that makes WebAssembly, with its options, such as "clang --target=wasm32-wasi".
# $REFRAIN_CFLAGS are options beside those here.
set -eu
sdk=$(cd "$(dirname "$0")" && pwd)
out=$1
shift
if [ -z "${CC:-}" ]; then
    python=python3
    if [ -n "${REFRAIN_PYTHON_ENV:-}" ]; then python=$REFRAIN_PYTHON_ENV/bin/python; fi
    CC="$python -m ziglang cc -target wasm32-wasi"
fi
# A reactor has functions to call and no `main`. zig leaves asserts out where it optimises; here a bug is to park the run and to
# say where it is. The SDK's files come first, so that its clock and its `assert` are taken and not the C library's.
# shellcheck disable=SC2086  # the compiler's options are words of their own
exec $CC -mexec-model=reactor -std=c11 -Os -UNDEBUG -Wall -Wextra -Wl,-z,stack-size=131072 ${REFRAIN_CFLAGS:-} \
    -I "$sdk/include" -o "$out" "$sdk"/src/*.c "$@"
