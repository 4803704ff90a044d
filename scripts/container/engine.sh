#!/bin/sh
# A Docker engine in a container, for the sandbox: reached over TLS by whoever has its client certificate.
#
#   /certificates   where ca.pem, cert.pem and key.pem for clients go, readable by KIOK_CLIENT_UID (10001) alone
#   /images         image archives (docker save); each is loaded once
#   KIOK_ENGINE     the host name that clients use (engine)
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

# Certificates are made at each start, so that none grows old. The authority's key is gone once it has signed: whoever
# reads every file of every volume can still not make a certificate that this engine takes.
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
sign() { # NAME USAGE [SUBJECT_ALTERNATIVE_NAME]
    key "$1.key"
    printf 'extendedKeyUsage=%s\n%s\n' "$2" "${3:+subjectAltName=$3}" >"$1.extensions"
    openssl req -new -key "$1.key" -subj "/CN=kiok $1" -out "$1.request"
    openssl x509 -req -in "$1.request" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days "$DAYS" \
        -extfile "$1.extensions" -out "$1.pem" 2>/dev/null
}
give() { # FROM TO: at once, readable by the client alone
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

# The control groups of this container are its own to divide; the outer engine mounts them read-only.
groups=/sys/fs/cgroup
mount -o remount,bind,rw "$groups"
for controller in "$groups"/*; do
    ! mountpoint -q "$controller" || mount -o remount,bind,rw "$controller"
done
# With control groups of version 2, processes may only be in leaves: the engine's own go into one, so that it can make
# others beside it (https://github.com/moby/moby/blob/master/hack/dind).
if [ -f "$groups/cgroup.controllers" ]; then
    mkdir -p "$groups/engine"
    xargs -rn1 <"$groups/cgroup.procs" >"$groups/engine/cgroup.procs" 2>/dev/null || true
    sed -e 's/ / +/g' -e 's/^/+/' <"$groups/cgroup.controllers" >"$groups/cgroup.subtree_control"
fi

# No bridge and no rules for one: containers of the sandbox have no network at all.
# The variable tells the engine that AppArmor's profiles are not its to load.
container=docker dockerd --bridge=none --iptables=false --ip-forward=false --userland-proxy=false --log-level=warn \
    --host=unix:///run/docker.sock --host=tcp://0.0.0.0:2376 \
    --tlsverify --tlscacert=/run/engine/ca.pem --tlscert=/run/engine/server.pem --tlskey=/run/engine/server.key &
engine=$!
export DOCKER_HOST=unix:///run/docker.sock

# What runs in here is thrown away whenever it ends: there is nothing that it could put in order first.
stop() {
    docker ps --quiet | xargs -r docker kill >/dev/null 2>&1 || true
    kill -TERM "$engine" 2>/dev/null
}
trap stop TERM INT

waited=0
until docker version >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null || fail "dockerd ended; it says why above"
    [ "$waited" -lt "$WAIT_SECONDS" ] || fail "dockerd does not answer within $WAIT_SECONDS s"
    sleep 1
    waited=$((waited + 1))
done

# What was loaded is noted in the engine's own volume, by size and time: a restart does not load it again.
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

# Interrupted by a signal, wait returns before the engine has ended.
while kill -0 "$engine" 2>/dev/null; do wait "$engine" || true; done
