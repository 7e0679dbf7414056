#!/bin/sh
# Builds the example's component: build.sh OUT.wasm
set -eu
here=$(cd "$(dirname "$0")" && pwd)
REFRAIN_CFLAGS="-ffile-prefix-map=$here/= ${REFRAIN_CFLAGS:-}" exec "$here/../../../guest-sdk/c/build.sh" "$1" "$here"/*.c
