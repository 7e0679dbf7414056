#!/bin/sh
# Builds the component of a module of workflows: build.sh DIRECTORY MODULE OUT.wasm
#
# componentize-py comes from $REFRAIN_PYTHON_ENV, an environment made from requirements.txt, or from PATH. The WIT package
# is the one of this repository, or lies beside this script where `refrain new` has put both.
set -eu

if [ $# -ne 3 ]; then
    echo "usage: $0 DIRECTORY MODULE OUT.wasm" >&2
    exit 2
fi
directory=$1 module=$2 out=$3
sdk=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

wit=$sdk/wit
[ -d "$wit" ] || wit=$sdk/../../wit

componentize=${REFRAIN_PYTHON_ENV:+$REFRAIN_PYTHON_ENV/bin/}componentize-py
if ! command -v "$componentize" >/dev/null; then
    echo "$componentize is not there: make an environment with" >&2
    echo "    python3 -m venv ENV && ENV/bin/pip install --require-hashes -r $sdk/requirements.txt" >&2
    echo "and set REFRAIN_PYTHON_ENV=ENV" >&2
    exit 1
fi

# From copies, as Python leaves its bytecode beside what it imports.
work=$(mktemp -d)
part=$out.part
trap 'rm -rf "$work" "$part"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/app" "$work/sdk"
(cd -- "$directory" && find . \( -name '.?*' -o -name __pycache__ -o -name refrain-sdk \) -prune -o -type f -name '*.py' -print) |
    while IFS= read -r file; do
        mkdir -p "$work/app/$(dirname -- "$file")"
        cp -- "$directory/$file" "$work/app/$file"
    done
cp -R "$sdk/src/refrain_sdk" "$work/sdk/refrain_sdk"
find "$work" -name __pycache__ -prune -exec rm -rf {} +

# No VIRTUAL_ENV: what is installed beside componentize-py is none of the workflow's. What is not there whole is not
# there: a build that is interrupted leaves no component.
env -u VIRTUAL_ENV "$componentize" --quiet --wit-path "$wit" --world workflow \
    componentize --python-path "$work/app" --python-path "$work/sdk" --output "$part" "$module"
mv -- "$part" "$out"
