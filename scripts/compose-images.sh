#!/bin/sh
# Builds every image that docker-compose.yml names, and hands the sandbox's to the engine there. Run it again after an
# upgrade, then `docker compose up --wait`.
#
# Everything stands on one Debian base: debian:12-slim, or where no registry gives it one that is made from Debian packages
# (scripts/images.sh). Where no package index is in reach either, scripts/compose-wheels.sh fetches the Python packages
# on another machine.
#
#   KIOK_BASE_IMAGE       base image                                         default debian:12-slim
#   KIOK_BUILD_CA         authorities (PEM) that vouch for the mirrors       default: this machine's
#   KIOK_BUILD_PIP_CONF   a pip.conf with the index to use                   default: one of PIP_INDEX_URL, if that is set
#   KIOK_TAG              tag of the images                                  default dev
#   KIOK_COMPOSE_DIR      where the images for the engine go, in images/     default .kiok/compose
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
# A signal ends the shell without its EXIT trap, unless it leads to an exit.
trap 'exit 130' INT TERM HUP
for authorities in "${KIOK_BUILD_CA:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -s "$authorities" ] || break
done
if [ -s "$authorities" ]; then
    export KIOK_BUILD_CA="$authorities"
fi
if [ -z "${KIOK_BUILD_PIP_CONF:-}" ] && [ -n "${PIP_INDEX_URL:-}" ]; then
    # A file, and of mode 0600: the url may hold a password.
    (umask 077 && printf '[global]\nindex-url = %s\n' "$PIP_INDEX_URL" >"$work/pip.conf")
    export KIOK_BUILD_PIP_CONF="$work/pip.conf"
fi

say "building the images of the service, its database and its engine"
docker compose --progress plain build >"$work/log" 2>&1 </dev/null || {
    tail -n 40 "$work/log" >&2
    fail "could not build them; the output above says why"
}
# What they replace goes, unless a container still runs on it: that goes with the next build.
project="$(docker compose config | sed -n 's/^name: //p')"
for id in $(docker image ls --quiet --filter dangling=true --filter "label=com.docker.compose.project=$project"); do
    docker image rm "$id" >/dev/null 2>&1 || true
done

# The engine's network reaches no registry, nor this machine: it loads the sandbox images from here.
folder="${KIOK_COMPOSE_DIR:-.kiok/compose}/images"
mkdir -p "$folder"
ids="$(docker image inspect --format '{{.Id}}' "$python" "$java")"
if [ "$(cat "$folder/sandbox.ids" 2>/dev/null)" != "$ids" ] || [ ! -s "$folder/sandbox.tar" ]; then
    say "saving the sandbox images into $folder"
    docker save --output "$folder/sandbox.tar.new" "$python" "$java"
    mv "$folder/sandbox.tar.new" "$folder/sandbox.tar"
    echo "$ids" >"$folder/sandbox.ids"
    # One that runs has loaded what was there before. A sync that is cut off by this is made good by the next.
    if [ -n "$(docker compose ps --quiet --status running engine 2>/dev/null)" ]; then
        say "restarting the engine, which loads them"
        docker compose restart engine >"$work/log" 2>&1 || {
            tail -n 5 "$work/log" >&2
            fail "the engine did not restart, so that it has the old images; 'docker compose logs engine' says why"
        }
    fi
fi
say "done"
