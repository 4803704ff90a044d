#!/bin/sh
# Makes sure that a Docker engine answers. Does nothing if one does.
#
#   scripts/engine.sh [LOG_FOLDER]     folder for the log of an engine that it starts; default: a new one under TMPDIR
#
# It installs and starts an engine only as root on Debian or Ubuntu, and says so. Elsewhere it says how to get one.
set -eu

WAIT_SECONDS=60

say() { printf 'engine: %s\n' "$*"; }
fail() {
    printf 'engine: %s\n' "$*" >&2
    exit 1
}

answers() { command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

await() {
    waited=0
    while [ "$waited" -lt "$WAIT_SECONDS" ]; do
        if answers; then
            say "a Docker engine answers"
            exit 0
        fi
        sleep 1
        waited=$((waited + 1))
    done
    return 1
}

! answers || exit 0

[ -z "${DOCKER_HOST:-}" ] || fail "the engine at DOCKER_HOST=$DOCKER_HOST does not answer. Start it, or unset" \
    "DOCKER_HOST to use an engine on this machine."

id=unknown like=
if [ -r /etc/os-release ]; then
    id="$(. /etc/os-release && echo "${ID:-unknown}")"
    like="$(. /etc/os-release && echo "${ID_LIKE:-}")"
fi
case " $id $like " in
    *" debian "* | *" ubuntu "*) ;;
    *) fail "no Docker engine answers. Install Docker Engine for this system and start it, or set DOCKER_HOST to an engine that runs elsewhere." ;;
esac
[ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can install one. Run" \
    "'sudo apt-get install docker.io' and add yourself to the group docker, or set DOCKER_HOST to an engine you may use."

if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    say "no Docker engine on this machine: installing Debian's docker.io"
    DEBIAN_FRONTEND=noninteractive apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends docker.io >/dev/null
    # Newer releases have a separate package for the client.
    command -v docker >/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends docker-cli >/dev/null
fi

# With the client installed, an engine that was already running may answer now.
! answers || exit 0

say "starting the Docker engine"
# Only if systemd is the init system: in a container or a minimal VM it may be installed without running.
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
    systemctl start docker >/dev/null 2>&1 || say "systemctl could not start it: $(systemctl is-active docker || true)"
    await || fail "the engine did not answer within $WAIT_SECONDS s, see 'journalctl -u docker'."
fi
if [ -x /etc/init.d/docker ] && command -v service >/dev/null; then
    service docker start >/dev/null 2>&1 || true
    WAIT_SECONDS=15
    await || say "the init script's engine does not answer: starting dockerd directly"
fi
WAIT_SECONDS=60
folder="${1:-$(mktemp -d "${TMPDIR:-/tmp}/kiok-dockerd.XXXXXX")}"
mkdir -p "$folder"
setsid nohup dockerd >"$folder/dockerd.log" 2>&1 </dev/null &
await || {
    tail -n 20 "$folder/dockerd.log" >&2
    fail "dockerd did not answer within $WAIT_SECONDS s, see its log $folder/dockerd.log"
}
