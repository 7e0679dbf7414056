#!/bin/sh
# Builds the example's component: build.sh OUT.wasm
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec sh "$here/../../../guest-sdk/python/build.sh" "$here" plain "$1"
