#!/bin/sh
# Fetches the service's Python packages into the folder wheels, each checked against its hash. Where that folder is there,
# scripts/compose-images.sh takes them from it and asks no index: run this where one is in reach, and carry the folder over.
set -eu
cd "$(dirname "$0")/.."

python="$(scripts/python.sh)"
mkdir -p wheels
# The pip configuration holds: a private index and its authority are set there.
"$python" -m pip --disable-pip-version-check download --quiet --require-hashes --only-binary :all: --no-deps \
    --requirement requirements/server.txt --dest wheels
echo "compose-wheels: $(find wheels -name '*.whl' | wc -l) wheels in wheels/"
