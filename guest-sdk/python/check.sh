#!/bin/sh
# Every check of the SDK and of what is written with it here: formatted, linted, typed, tested natively.
#
# ruff, mypy and pytest are those of the interpreter $REFRAIN_PYTHON_TOOLS, or of the Python that is on the PATH.
set -eu
python=${REFRAIN_PYTHON_TOOLS:-python3}
export PYTHONDONTWRITEBYTECODE=1
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root/guest-sdk/python"
others="$root/tests/guests/python $root/examples/*/python"
# shellcheck disable=SC2086  # the folders are words of their own
"$python" -m ruff format --no-cache --check . $others
# shellcheck disable=SC2086
"$python" -m ruff check --no-cache . $others
"$python" -m mypy --cache-dir "${REFRAIN_BUILD_DIR:-/dev/null}"
"$python" -m pytest -q -p no:cacheprovider -p no:asyncio
