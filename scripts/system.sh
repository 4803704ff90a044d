#!/bin/sh
# Makes sure that the programs for a command are installed. Exits quickly if they are.
#
#   scripts/system.sh NEED...       needs: python, git, remotes, tests, compose
#
#   python     Python 3.11 to 3.14 with venv
#   git        git
#   remotes    programs for https and ssh remotes: CA certificates, the ssh client
#   tests      programs for the tests: sshd, Redis, PgBouncer and Prometheus (no service is started),
#              Chromium, libfaketime, mmdebstrap, Podman with its default runtime, gVisor's runsc
#   compose    Docker Compose v2, as a plugin of the docker command
#
# It installs only as root on Debian or Ubuntu, and says so. Elsewhere it says what to install and exits with status 1.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'system: %s\n' "$*"; }
fail() {
    printf 'system: %s\n' "$*" >&2
    exit 1
}

# Debian 12 does not have Docker Compose v2, but the package of Debian 13 runs there. It is fetched from the machine's mirror
# (or KIOK_DEBIAN_MIRROR), and its hash is checked.
COMPOSE_PACKAGE=pool/main/d/docker-compose/docker-compose_2.26.1-4_amd64.deb
COMPOSE_SHA256=47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea

compose() {
    command -v docker >/dev/null || fail "Docker Compose needs the docker command, which is missing. Install it with an" \
        "engine: scripts/engine.sh."
    ! docker compose version >/dev/null 2>&1 || return 0
    command -v dpkg-deb >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ] || fail "Docker Compose v2 is missing" \
        "('docker compose version'). Install it for this system: the package docker-compose-plugin of Docker's own" \
        "repository, docker-compose of Debian 13, or docker-compose-v2 of Ubuntu. Then start again."
    mirror="$(scripts/debian_mirror.sh)"
    [ -n "$mirror" ] || fail "Docker Compose v2 is missing, and this machine's apt sources name no Debian mirror to fetch" \
        "it from. Install it, or set KIOK_DEBIAN_MIRROR."
    if [ "$(id -u)" = 0 ]; then
        plugins=/usr/libexec/docker/cli-plugins
    else
        plugins="${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins"
    fi
    say "installing Docker Compose v2 into $plugins"
    (
        work="$(mktemp -d)"
        trap 'rm -rf "$work"' EXIT
        trap 'exit 130' INT TERM HUP
        # apt's helper to fetch a file, with apt's proxies and certificate authorities.
        helper=/usr/lib/apt/apt-helper
        "$helper" -qq download-file "${mirror%/}/$COMPOSE_PACKAGE" "$work/compose.deb" "SHA256:$COMPOSE_SHA256" >"$work/log" 2>&1 || {
            tail -n 5 "$work/log" >&2
            fail "could not fetch ${mirror%/}/$COMPOSE_PACKAGE with the sha256 $COMPOSE_SHA256"
        }
        dpkg-deb --fsys-tarfile "$work/compose.deb" | tar -xf - -C "$work" ./usr/libexec/docker/cli-plugins/docker-compose
        mkdir -p "$plugins"
        install -m 0755 "$work/usr/libexec/docker/cli-plugins/docker-compose" "$plugins/.docker-compose.$$"
        mv -f "$plugins/.docker-compose.$$" "$plugins/docker-compose"
    )
    docker compose version >/dev/null 2>&1 || fail "the docker command does not accept the plugin in $plugins," \
        "see 'docker compose version'."
}

# Prints the Debian or Ubuntu package with venv for this Python: python3-venv for the default one, else python3.N-venv.
venv_package() {
    if [ "$(readlink -f "$1")" = "$(readlink -f /usr/bin/python3)" ]; then
        echo python3-venv
    else
        "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
}

missing=
want() { missing="$missing $1"; }

for need; do
    case "$need" in
        python)
            if python="$(scripts/python.sh 2>/dev/null)"; then
                # Debian's python3 lacks ensurepip, without which venv fails halfway.
                "$python" -c 'import ensurepip, venv' 2>/dev/null || want "$(venv_package "$python")"
            else
                want python3
                want python3-venv
            fi
            ;;
        git) command -v git >/dev/null || want git ;;
        remotes)
            command -v ssh >/dev/null || want openssh-client
            command -v gpg >/dev/null || want gpg
            [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] ||
                [ -e /etc/ssl/cert.pem ] || want ca-certificates
            ;;
        tests)
            [ -x /usr/sbin/sshd ] || want openssh-server
            command -v ssh-keygen >/dev/null || want openssh-client
            command -v redis-server >/dev/null || want redis-server
            [ -x /usr/sbin/pgbouncer ] || want pgbouncer
            command -v chromium >/dev/null || want chromium
            command -v gpg-agent >/dev/null || want gpg-agent
            command -v unshare >/dev/null || want util-linux
            command -v ip >/dev/null || want iproute2
            ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || want libfaketime
            command -v promtool >/dev/null || want prometheus
            command -v mmdebstrap >/dev/null || want mmdebstrap
            command -v podman >/dev/null || want podman
            command -v crun >/dev/null || want crun
            command -v runsc >/dev/null || want runsc
            ;;
        compose) compose ;;
        *) fail "unknown need $need" ;;
    esac
done
[ -n "$missing" ] || exit 0

missing="$(printf '%s\n' $missing | sort -u | tr '\n' ' ')"
missing="${missing% }"
family=unknown
if [ -r /etc/os-release ]; then
    family="$(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}")"
fi
case " $family " in
    *" debian "* | *" ubuntu "*) ;;
    *) fail "missing on this machine (names of Debian packages): $missing. Install them and try again." ;;
esac
[ "$(id -u)" = 0 ] || fail "missing on this machine: $missing. Run 'sudo apt-get install $missing' and try again."

say "installing the Debian packages $missing"
export DEBIAN_FRONTEND=noninteractive
# Prevent packages from starting their services: only their programs are needed.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
fi
log="$(mktemp)"
apt-get -qq update >"$log" 2>&1 || say "apt-get update failed: $(tail -n 1 "$log")"
# shellcheck disable=SC2086  # a list of words
apt-get -qq install -y --no-install-recommends $missing >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    fail "could not install $missing, see the output above"
}
rm -f "$log"
# Nor must they start at the next boot.
never() { ! command -v systemctl >/dev/null || systemctl -q disable "$@" >/dev/null 2>&1 || true; }
case " $missing " in *" openssh-server "*) never ssh.service ssh.socket ;; esac
case " $missing " in *" pgbouncer "*) never pgbouncer.service ;; esac
case " $missing " in *" prometheus "*) never prometheus.service ;; esac
case " $missing " in *" redis-server "*) never redis-server.service ;; esac
case " $missing " in
    *" podman "*) never podman.socket podman.service podman-restart.service podman-auto-update.timer podman-auto-update.service ;;
esac
