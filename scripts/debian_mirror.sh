#!/bin/sh
# Prints the mirror for Debian packages: KIOK_DEBIAN_MIRROR if set, else the first one in this machine's apt sources. Prints
# nothing if there is none, as on systems other than Debian.
set -eu
if [ -n "${KIOK_DEBIAN_MIRROR:-}" ]; then
    echo "$KIOK_DEBIAN_MIRROR"
elif [ -r /etc/os-release ] && [ "$(. /etc/os-release && echo "${ID:-}")" = debian ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2016  # the names are those of apt
    apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "main" && $2 !~ /security/ { print $2; exit }'
fi
