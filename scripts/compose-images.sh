#!/bin/sh
# Builds every image that docker-compose.yml names, and saves the sandbox images for its engine. Run it again after an
# upgrade, then run `docker compose up --wait`.
#
# All images use one Debian base: debian:12-slim, or, if no registry provides it, an image built from Debian packages
# (scripts/images.sh). If no package index is reachable either, scripts/compose-wheels.sh can fetch the Python packages on
# another machine.
#
#   KIOK_BASE_IMAGE       base image                                            default debian:12-slim
#   KIOK_BUILD_CA         certificate authorities (PEM) of the mirrors          default: this machine's
#   KIOK_BUILD_PIP_CONF   a pip.conf with the index to use                      default: made from PIP_INDEX_URL if set
#   KIOK_TAG              tag of the images                                     default dev
#   KIOK_COMPOSE_DIR      folder whose images/ gets the images for the engine   default .kiok/compose
set -eu
cd "$(dirname "$0")/.."

say() { printf 'compose-images: %s\n' "$*"; }
fail() {
    say "$@" >&2
    exit 1
}

scripts/engine.sh build/engine
scripts/system.sh compose
python="${KIOK_IMAGE_PYTHON:-kiok-sandbox-python:dev}"
java="${KIOK_IMAGE_JAVA:-kiok-sandbox-java:dev}"
scripts/images.sh python java
KIOK_BASE_IMAGE="$(scripts/images.sh base)"
export KIOK_BASE_IMAGE

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# A signal ends the shell without its EXIT trap, unless the signal's trap exits.
trap 'exit 130' INT TERM HUP
for authorities in "${KIOK_BUILD_CA:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -s "$authorities" ] || break
done
if [ -s "$authorities" ]; then
    export KIOK_BUILD_CA="$authorities"
fi
if [ -z "${KIOK_BUILD_PIP_CONF:-}" ] && [ -n "${PIP_INDEX_URL:-}" ]; then
    # A file with mode 0600, since the url may contain a password.
    (umask 077 && printf '[global]\nindex-url = %s\n' "$PIP_INDEX_URL" >"$work/pip.conf")
    export KIOK_BUILD_PIP_CONF="$work/pip.conf"
fi

say "building the images of the service, its database and its engine"
docker compose --progress plain build >"$work/log" 2>&1 </dev/null || {
    tail -n 40 "$work/log" >&2
    fail "could not build the images, see the output above"
}
# Remove the replaced images. If a container still uses one, the next build removes it.
project="$(docker compose config | sed -n 's/^name: //p')"
for id in $(docker image ls --quiet --filter dangling=true --filter "label=com.docker.compose.project=$project"); do
    docker image rm "$id" >/dev/null 2>&1 || true
done

# The engine's network reaches neither a registry nor this machine, so it loads the sandbox images from this folder.
folder="${KIOK_COMPOSE_DIR:-.kiok/compose}/images"
mkdir -p "$folder"
ids="$(docker image inspect --format '{{.Id}}' "$python" "$java")"
if [ "$(cat "$folder/sandbox.ids" 2>/dev/null)" != "$ids" ] || [ ! -s "$folder/sandbox.tar" ]; then
    say "saving the sandbox images into $folder"
    docker save --output "$folder/sandbox.tar.new" "$python" "$java"
    mv "$folder/sandbox.tar.new" "$folder/sandbox.tar"
    echo "$ids" >"$folder/sandbox.ids"
    # A running engine has loaded the previous images. A sync that the restart interrupts is repeated by the next one.
    if [ -n "$(docker compose ps --quiet --status running engine 2>/dev/null)" ]; then
        say "restarting the engine to load them"
        docker compose restart engine >"$work/log" 2>&1 || {
            tail -n 5 "$work/log" >&2
            fail "the engine did not restart and still has the old images, see 'docker compose logs engine'"
        }
    fi
fi
say "done"
