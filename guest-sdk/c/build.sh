#!/bin/sh
# Compiles a component of C files and the SDK: build.sh OUT.wasm FILE...
#
# With zig, which brings a C library for WebAssembly: that of the Python environment which $REFRAIN_PYTHON_ENV names, or
# of .venv here, or of python3. $CC names another compiler that makes WebAssembly, with its options, such as
# "clang --target=wasm32-wasi". $REFRAIN_CFLAGS are options beside those below. What the compiler makes on the way goes
# to $REFRAIN_BUILD_DIR, or to its own cache.
set -eu
sdk=$(cd "$(dirname "$0")" && pwd)
out=$1
shift
if [ -z "${CC:-}" ]; then
    python=python3
    if [ -n "${REFRAIN_PYTHON_ENV:-}" ]; then python=$REFRAIN_PYTHON_ENV/bin/python
    elif [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
    CC="$python -m ziglang cc -target wasm32-wasi"
fi
if [ -n "${REFRAIN_BUILD_DIR:-}" ]; then export ZIG_LOCAL_CACHE_DIR="$REFRAIN_BUILD_DIR/zig"; fi
mkdir -p "$(dirname "$out")"
# A reactor has functions to call and no `main`. zig leaves asserts out where it optimises; here a bug is to park the run
# and to say where it is. The SDK's files come first, so that its clock and its `assert` are taken and not the C library's.
# No path of this machine gets into the component: `__FILE__` is what a bug's words have.
# shellcheck disable=SC2086  # the compiler's options are words of their own
exec $CC -mexec-model=reactor -std=gnu11 -Os -UNDEBUG -Wall -Wextra -Wl,-z,stack-size=131072 ${REFRAIN_CFLAGS:-} \
    "-ffile-prefix-map=$sdk/=refrain-sdk/" "-ffile-prefix-map=$PWD/=" -I "$sdk/include" -o "$out" "$sdk"/src/*.c "$@"
