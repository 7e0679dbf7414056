#!/bin/sh
# Builds the suite's component: tests/guests/go/build.sh OUT.wasm
set -eu
out=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"
GOWORK=off GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -o "$out" .
