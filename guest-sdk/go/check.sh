#!/bin/sh
# Every check of the SDK and of what is written with it here: formatted, vetted, tested natively.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
for folder in "$root/guest-sdk/go" "$root/tests/guests/go" "$root"/examples/*/go; do
    cd "$folder"
    unformatted=$(gofmt -l .)
    if [ -n "$unformatted" ]; then
        echo "not formatted in $folder, run gofmt -w: $unformatted" >&2
        exit 1
    fi
    GOWORK=off go vet ./...
    GOWORK=off go test ./...
done
