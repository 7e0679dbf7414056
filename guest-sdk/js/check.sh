#!/bin/sh
# Every check of the SDK and of what is written with it here: its types, and its tests in Node.
#
# The npm packages are those of package-lock.json: in $REFRAIN_NODE_MODULES, or where `npm ci` puts them.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
modules=${REFRAIN_NODE_MODULES:-$root/guest-sdk/js/node_modules}
for folder in "$root/guest-sdk/js" "$root/tests/guests/js" "$root"/examples/*/js; do
    "$modules/.bin/tsc" --project "$folder"
done
cd "$root/guest-sdk/js"
node --test --test-reporter=dot test/
