#!/bin/sh
# Fetches the service's Python packages into the folder wheels and checks their hashes. If that folder exists,
# scripts/compose-images.sh installs from it and uses no index. Run this on a machine that reaches an index, and copy the
# folder.
set -eu
cd "$(dirname "$0")/.."

python="$(scripts/python.sh)"
mkdir -p wheels
# The pip configuration applies, so it can set a private index and its certificate authority.
"$python" -m pip --disable-pip-version-check download --quiet --require-hashes --only-binary :all: --no-deps \
    --requirement requirements/server.txt --dest wheels
echo "compose-wheels: $(find wheels -name '*.whl' | wc -l) wheels in wheels/"
