#!/bin/sh
# Makes the component of the example: build.sh OUT.wasm
#
# The npm packages are those of guest-sdk/js/package-lock.json: in $REFRAIN_NODE_MODULES, or where `npm ci` puts them.
set -eu
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")"
exec node ../../../guest-sdk/js/build/cli.mjs src/fan-out.ts --output "$out"
