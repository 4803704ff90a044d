#!/bin/sh
# Regenerates requirements/*.txt from the extras in pyproject.toml, with hashes, for all supported versions of Python.
# Packages that only some versions or systems need have a marker.
#
#   scripts/lock.sh             keep pinned versions, add and remove packages as pyproject.toml requires
#   scripts/lock.sh --upgrade   use the newest versions
#
# The machine's index settings are ignored, because a local index or wheel folder may have other builds of the same version,
# whose hashes match nowhere else. UV_DEFAULT_INDEX applies if set. No address of an index is written.
set -eu
cd "$(dirname "$0")/.."

UV="${UV:-.venv/bin/uv}"

lock() {
    output="$1"
    shift
    env -u UV_FIND_LINKS -u UV_INDEX -u UV_EXTRA_INDEX_URL "$UV" pip compile --quiet --no-config --universal \
        --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command scripts/lock.sh \
        --output-file "$output" "$@" pyproject.toml
}

lock requirements/server.txt --extra server "$@"
lock requirements/dev.txt --extra server --extra dev --constraint requirements/server.txt "$@"
