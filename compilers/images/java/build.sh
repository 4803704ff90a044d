#!/bin/sh
# Build the Java SDK and the jar driver into OUTDIR, byte-identical for the same sources and JDK (17 or later).
#
#   kiok-sdk.jar          authors compile against it, and the sandbox links DAG jars with it (Java 8 class files)
#   kiok-sdk-sources.jar  its sources
#   kiok-jar-driver.jar   the program that runs in the sandbox; of no use to authors
#   kiok-rehearsal.jar    compiled by a JVM started in advance, to be warm when the jar arrives
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 OUTDIR" >&2
    exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LC_ALL=C.UTF-8
export LC_ALL

# The time stamp of every entry: the earliest time that the zip format can express in any time zone.
stamp=1980-01-02T00:00:00Z

# compile SOURCES CLASSES JAVAC-OPTION...
compile() {
    sources=$1 classes=$2
    shift 2
    mkdir -p "$classes"
    find "$sources" -name '*.java' | sort >"$work/files"
# -options: newer compilers warn that Java 8 class files are obsolete, but old build chains must be able to use the SDK.
    javac -encoding UTF-8 -g -proc:none -Xlint:all,-options "$@" -d "$classes" "@$work/files"
}

# pack JAR FOLDER: entries sorted by name, independent of the order in the file system. The jar's own time
# is fixed too: the sandbox's archive of classes is valid only for jars of the same time.
pack() {
    (cd "$2" && find . -type f | sed 's|^\./||' | sort >"$work/entries" &&
        jar --create --file "$1" --no-manifest --date "$stamp" "@$work/entries" &&
        touch -d "$stamp" "$1")
}

compile "$here/sdk/src" "$work/sdk" --release 8
compile "$here/driver/src" "$work/driver" --release 17 -cp "$work/sdk" -XDstringConcat=inline
compile "$here/rehearsal/src" "$work/rehearsal" --release 17 -cp "$work/sdk"
pack "$out/kiok-sdk.jar" "$work/sdk"
pack "$out/kiok-sdk-sources.jar" "$here/sdk/src"
pack "$out/kiok-jar-driver.jar" "$work/driver"
pack "$out/kiok-rehearsal.jar" "$work/rehearsal"
