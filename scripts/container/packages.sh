#!/bin/sh
# Installs Debian packages during an image build without leaving archives. Without arguments it fetches the package lists.
#
#   packages.sh [PACKAGE...]
set -eu

export DEBIAN_FRONTEND=noninteractive APT_CONFIG=/tmp/apt.conf
ca=/run/secrets/ca

# An unfinished layer is discarded, so writes need not be synced to disk.
cat >"$APT_CONFIG" <<'END'
Acquire::Languages "none";
Acquire::Retries "3";
Dpkg::Options:: "--force-unsafe-io";
END
[ ! -s "$ca" ] || echo "Acquire::https::CAInfo \"$ca\";" >>"$APT_CONFIG"

if [ $# -eq 0 ]; then
    apt-get -qq update
else
    apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    rm -rf /var/cache/apt/* /var/log/apt /var/log/dpkg.log
fi
rm -f "$APT_CONFIG"
