#!/bin/sh
# Regenerate requirements/*.txt from the extras in pyproject.toml, for Python 3.11.
#
#   scripts/lock.sh             keep what is pinned, add and drop what pyproject.toml asks for
#   scripts/lock.sh --upgrade   take the newest versions
#
# The pip configuration of the machine is set aside, because a local index or wheel folder may hold
# other builds of the same version, whose hashes nobody else could match. PIP_INDEX_URL, if set, holds.
set -eu
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-.venv/bin/python}"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "lock.sh: $PYTHON is not Python 3.11; set PYTHON to one with pip-tools installed" >&2
    exit 1
}

lock() {
    output="$1"
    shift
    env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null \
        CUSTOM_COMPILE_COMMAND="scripts/lock.sh" \
        "$PYTHON" -m piptools compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
        --no-emit-trusted-host --no-emit-options --strip-extras --allow-unsafe \
        --output-file "$output" "$@" pyproject.toml
}

lock requirements/server.txt --extra server "$@"
lock requirements/dev.txt --extra server --extra dev --constraint requirements/server.txt "$@"
