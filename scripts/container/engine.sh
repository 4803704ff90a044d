#!/bin/sh
# A Docker engine in a container, for the sandbox. Clients connect over TLS with its client certificate.
#
#   /certificates   output folder of ca.pem, cert.pem and key.pem for clients, readable only by KIOK_CLIENT_UID (10001)
#   /images         image archives (docker save), each of which is loaded once
#   KIOK_ENGINE     host name that clients use (engine)
set -eu

READY=/run/engine/ready
WAIT_SECONDS=60
DAYS=3650
name="${KIOK_ENGINE:-engine}"
client="${KIOK_CLIENT_UID:-10001}"

say() { printf 'engine: %s\n' "$*"; }
fail() {
    printf 'engine: %s\n' "$*" >&2
    exit 1
}

rm -rf /run/engine /run/docker.pid /run/docker
mkdir -m 0700 /run/engine

# Certificates are created at each start, so that none expires. The authority's key is deleted after signing: even with
# access to all files of all volumes, no other certificate can be made that this engine accepts.
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
sign() { # NAME USAGE [SUBJECT_ALTERNATIVE_NAME]
    key "$1.key"
    printf 'extendedKeyUsage=%s\n%s\n' "$2" "${3:+subjectAltName=$3}" >"$1.extensions"
    openssl req -new -key "$1.key" -subj "/CN=kiok $1" -out "$1.request"
    openssl x509 -req -in "$1.request" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days "$DAYS" \
        -extfile "$1.extensions" -out "$1.pem" 2>/dev/null
}
give() { # FROM TO: atomically, readable only by the client
    install -m 0400 -o "$client" "$1" "/certificates/.$2"
    mv -f "/certificates/.$2" "/certificates/$2"
}
(
    cd /run/engine
    umask 077
    key ca.key
    openssl req -new -x509 -key ca.key -subj "/CN=kiok engine authority" -days "$DAYS" -out ca.pem
    sign server serverAuth "DNS:$name,DNS:localhost,IP:127.0.0.1"
    sign client clientAuth
    rm ca.key
    give ca.pem ca.pem
    give client.pem cert.pem
    give client.key key.pem
    rm client.*
)

# The outer engine mounts the control groups of this container read-only. The inner engine has to divide them.
groups=/sys/fs/cgroup
mount -o remount,bind,rw "$groups"
for controller in "$groups"/*; do
    ! mountpoint -q "$controller" || mount -o remount,bind,rw "$controller"
done
# In control groups version 2, only leaves can contain processes. The engine's own processes move into a leaf, so that it can
# create others next to it (https://github.com/moby/moby/blob/master/hack/dind).
if [ -f "$groups/cgroup.controllers" ]; then
    mkdir -p "$groups/engine"
    xargs -rn1 <"$groups/cgroup.procs" >"$groups/engine/cgroup.procs" 2>/dev/null || true
    sed -e 's/ / +/g' -e 's/^/+/' <"$groups/cgroup.controllers" >"$groups/cgroup.subtree_control"
fi

# No bridge and no rules for one, since containers of the sandbox have no network.
# The variable keeps the engine from loading AppArmor profiles.
container=docker dockerd --bridge=none --iptables=false --ip-forward=false --userland-proxy=false --log-level=warn \
    --host=unix:///run/docker.sock --host=tcp://0.0.0.0:2376 \
    --tlsverify --tlscacert=/run/engine/ca.pem --tlscert=/run/engine/server.pem --tlskey=/run/engine/server.key &
engine=$!
export DOCKER_HOST=unix:///run/docker.sock

# The containers in this engine are disposable, so they are killed without a graceful stop.
stop() {
    docker ps --quiet | xargs -r docker kill >/dev/null 2>&1 || true
    kill -TERM "$engine" 2>/dev/null
}
trap stop TERM INT

waited=0
until docker version >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null || fail "dockerd ended, see its output above"
    [ "$waited" -lt "$WAIT_SECONDS" ] || fail "dockerd did not answer within $WAIT_SECONDS s"
    sleep 1
    waited=$((waited + 1))
done

# The engine's volume records the size and time of the loaded archives, so that a restart does not load them again.
loaded=/var/lib/docker/kiok-loaded
mkdir -p "$loaded"
for archive in /images/*.tar; do
    [ -e "$archive" ] || break
    note="$loaded/$(basename "$archive")"
    found="$(stat --format '%s %Y' "$archive")"
    if [ "$(cat "$note" 2>/dev/null)" != "$found" ]; then
        say "loading $(basename "$archive")"
        docker load --quiet --input "$archive"
        echo "$found" >"$note"
    fi
done
: >"$READY"
say "ready"

# If a signal interrupts it, wait returns before the engine has ended.
while kill -0 "$engine" 2>/dev/null; do wait "$engine" || true; done
