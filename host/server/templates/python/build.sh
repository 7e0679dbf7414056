#!/bin/sh
# Builds {{ident}}.wasm. The first time it makes an environment with what builds components (some 60 MB, in .venv).
set -eu

cd -- "$(dirname -- "$0")"
if [ -z "${REFRAIN_PYTHON_ENV:-}" ]; then
    REFRAIN_PYTHON_ENV=$PWD/.venv
    export REFRAIN_PYTHON_ENV
    if [ ! -x .venv/bin/componentize-py ]; then
        python3 -m venv .venv
        .venv/bin/pip install --quiet --require-hashes -r refrain-sdk/requirements.txt
    fi
fi
sh refrain-sdk/build.sh . workflow {{ident}}.wasm
