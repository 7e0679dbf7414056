#!/bin/sh
# Compiles natively and runs the tests of a project: test.sh FILE..., of which one has `main`.
#
# With $HOST_CC, or cc; with checks for bad memory and undefined behaviour, unless $REFRAIN_TEST_CFLAGS says otherwise.
set -eu
sdk=$(cd "$(dirname "$0")" && pwd)
dir=${REFRAIN_BUILD_DIR:-}
if [ -z "$dir" ]; then
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir"
# shellcheck disable=SC2086  # the options are words of their own
${HOST_CC:-cc} -std=c11 -g -O1 -Wall -Wextra ${REFRAIN_TEST_CFLAGS--fsanitize=address,undefined -fno-sanitize-recover=all} \
    -I "$sdk/include" -I "$sdk/testing" -o "$dir/tests" "$@" "$sdk"/testing/*.c "$sdk"/src/*.c
"$dir/tests"
