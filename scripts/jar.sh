#!/bin/sh
# Compiles Java DAGs into a jar, in a container with the JDK and the SDK, so the machine needs neither.
#
#   scripts/jar.sh SOURCE_FOLDER OUTPUT.jar
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 SOURCE_FOLDER OUTPUT.jar" >&2
    exit 2
fi
image="${KIOK_IMAGE_JAVA_BUILDER:-kiok-java-builder:dev}"
mkdir -p "$(dirname "$2")"
temporary="$(mktemp "$2.XXXXXX")"
trap 'rm -f "$temporary"' EXIT
trap 'exit 130' INT TERM HUP

# Sources and jar are passed as streams, so a remote engine works too. Dates are fixed, so equal sources give equal jars.
tar -C "$1" -cf - . | docker run --rm --interactive --network none "$image" sh -euc '
    mkdir /tmp/src /tmp/classes
    cd /tmp/src
    tar -xf - --no-same-owner
    find . -name "*.java" | sort >/tmp/files
    javac -encoding UTF-8 -Xlint:-options --release 8 -cp /out/kiok-sdk.jar -d /tmp/classes @/tmp/files >&2
    cd /tmp/classes
    find . -type f | sed "s|^\./||" | sort >/tmp/entries
    jar --create --file /tmp/out.jar --no-manifest --date 1980-01-02T00:00:00Z @/tmp/entries
    cat /tmp/out.jar
' >"$temporary"
chmod 0644 "$temporary"
mv "$temporary" "$2"
