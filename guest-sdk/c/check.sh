#!/bin/sh
# Every check of the SDK: its tests with the machine's own compiler, and the code of its README with the one for wasm32.
set -eu
tests=$(cd "$(dirname "$0")/tests" && pwd)
"$tests/run.sh"
"$tests/readme.sh"
