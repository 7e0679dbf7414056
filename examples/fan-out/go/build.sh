#!/bin/sh
# Builds the example's component: examples/fan-out/go/build.sh OUT.wasm
set -eu
out=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"
GOWORK=off GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -o "$out" .
