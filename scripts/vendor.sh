#!/bin/sh
# Fetches the third-party scripts of the pages, each at a fixed version, and accepts them only with the expected hash.
#
#   scripts/vendor.sh
#
# They are in the repository with their licences, so pages use no other host and an installation needs no npm.
set -eu
cd "$(dirname "$0")/.."

FOLDER=kiok/metadata/static/kiok/vendor
PANZOOM=4.6.2
PANZOOM_SHA512=667dc1e7f8706ba79820f452297d317f6725bfc9ef8935fc027014e6453f12e8224c3846e35c9adb0941a98ad92580964113abff95e458e6d984891ea62f3dab

fetch() { # NAME VERSION SHA512 FILE=TARGET...
    name=$1 version=$2 sha512=$3
    shift 3
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM HUP
    npm pack --silent --pack-destination "$scratch" "$name@$version" >"$scratch/name"
    archive=$scratch/$(tail -n 1 "$scratch/name")
    found=$(sha512sum "$archive" | cut -d ' ' -f 1)
    [ "$found" = "$sha512" ] || {
        echo "vendor: $name $version has the hash $found instead of $sha512. Nothing was changed" >&2
        exit 1
    }
    tar -xzf "$archive" -C "$scratch"
    for pair in "$@"; do
        cp "$scratch/package/${pair%%=*}" "$FOLDER/${pair#*=}"
        chmod 0644 "$FOLDER/${pair#*=}"
    done
    echo "vendor: $name $version is in $FOLDER"
}

mkdir -p "$FOLDER"
fetch @panzoom/panzoom "$PANZOOM" "$PANZOOM_SHA512" \
    dist/panzoom.min.js=panzoom.min.js MIT-License.txt=panzoom.LICENSE.txt
