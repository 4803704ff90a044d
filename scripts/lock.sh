#!/bin/sh
# Regenerate requirements/*.txt from the extras in pyproject.toml, with hashes, for every supported Python at once: what
# only some versions or systems need has a marker.
#
#   scripts/lock.sh             keep what is pinned, add and drop what pyproject.toml asks for
#   scripts/lock.sh --upgrade   take the newest versions
#
# The index settings of the machine are set aside, because a local index or wheel folder may hold other builds of the
# same version, whose hashes nobody else could match. UV_DEFAULT_INDEX, if set, holds; no address of an index is written.
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
