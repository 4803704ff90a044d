#!/bin/sh
# Prints the mirror to fetch Debian packages from: KIOK_DEBIAN_MIRROR if set, else the first one in this machine's apt
# sources. Prints nothing where there is none, as on any other system than Debian.
set -eu
if [ -n "${KIOK_DEBIAN_MIRROR:-}" ]; then
    echo "$KIOK_DEBIAN_MIRROR"
elif [ -r /etc/os-release ] && [ "$(. /etc/os-release && echo "${ID:-}")" = debian ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2016  # the names are apt's
    apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "main" && $2 !~ /security/ { print $2; exit }'
fi
