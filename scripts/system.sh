#!/bin/sh
# Sees to it that the programs a command needs are installed; does nothing, fast, when they are.
#
#   scripts/system.sh NEED...       needs: python, git, remotes, tests
#
#   python     a Python 3.11 that can make virtual environments
#   git        git
#   remotes    what git needs for https and ssh remotes: CA certificates, the ssh client
#   tests      what the tests run besides: sshd and Redis (as programs; no service is started), Chromium
#
# Installs only as root on Debian or Ubuntu, and says so. Anywhere else it says what to install and ends with status 1.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'system: %s\n' "$*"; }
fail() {
    printf 'system: %s\n' "$*" >&2
    exit 1
}

missing=
want() { missing="$missing $1"; }

for need; do
    case "$need" in
        python)
            if python="$(scripts/python.sh 2>/dev/null)"; then
                # Debian's python3 comes without ensurepip, and venv then fails half way through.
                "$python" -c 'import ensurepip, venv' 2>/dev/null || want python3-venv
            else
                want python3.11
                want python3.11-venv
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
            command -v chromium >/dev/null || want chromium
            command -v gpg-agent >/dev/null || want gpg-agent
            command -v unshare >/dev/null || want util-linux
            ;;
        *) fail "there is no need called $need" ;;
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
    *) fail "missing on this machine, under the names of Debian's packages: $missing. Install them and start again." ;;
esac
[ "$(id -u)" = 0 ] || fail "missing on this machine: $missing. Run 'sudo apt-get install $missing' and start again."

say "installing the Debian packages $missing"
export DEBIAN_FRONTEND=noninteractive
# A package's service must not be started: only its programs are wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
fi
log="$(mktemp)"
apt-get -qq update >"$log" 2>&1 || say "apt-get update had trouble: $(tail -n 1 "$log")"
# shellcheck disable=SC2086  # a list of words
apt-get -qq install -y --no-install-recommends $missing >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    fail "could not install $missing; the output above says why"
}
rm -f "$log"
# Nor started at the next boot.
for service in "openssh-server ssh.service ssh.socket" "redis-server redis-server.service"; do
    case " $missing " in
        *" ${service%% *} "*)
            # shellcheck disable=SC2086  # a list of words
            ! command -v systemctl >/dev/null || systemctl -q disable ${service#* } >/dev/null 2>&1 || true
            ;;
    esac
done
