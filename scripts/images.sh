#!/bin/sh
# Builds the sandbox images, and their base image if no registry answers. Exits quickly if they are current.
#
#   scripts/images.sh [python] [java] [java-builder]     all of them by default
#   scripts/images.sh base                               only provide a base image, and print just its name
#
#   KIOK_BASE_IMAGE           base image                   default debian:12-slim
#   KIOK_JDK                  version of the JDK           default: that of the base, 17 on Debian 12, 21 on Debian 13
#   KIOK_DEBIAN_MIRROR        mirror for mmdebstrap        default: the mirror in this machine's apt sources
#   KIOK_IMAGE_PYTHON, KIOK_IMAGE_JAVA, KIOK_IMAGE_JAVA_BUILDER
#                             tags                         default kiok-sandbox-python:dev, kiok-sandbox-java:dev,
#                                                          kiok-java-builder:dev
#   KIOK_REBUILD=1            rebuild current images too
set -eu
cd "$(dirname "$0")/.."

BASE_IMAGE="${KIOK_BASE_IMAGE:-debian:12-slim}"
JDK="${KIOK_JDK:+openjdk-$KIOK_JDK}"
JDK="${JDK:-default}"
OWN_BASE=kiok-base:bookworm
PULL_SECONDS=120

say() { printf 'images: %s\n' "$*"; }
fail() {
    printf 'images: %s\n' "$*" >&2
    exit 1
}

tag_of() {
    case "$1" in
        python) echo "${KIOK_IMAGE_PYTHON:-kiok-sandbox-python:dev}" ;;
        java) echo "${KIOK_IMAGE_JAVA:-kiok-sandbox-java:dev}" ;;
        java-builder) echo "${KIOK_IMAGE_JAVA_BUILDER:-kiok-java-builder:dev}" ;;
        *) fail "unknown image $1. Known are python, java and java-builder" ;;
    esac
}

# Creates the build context with the layout of the image, with only the files that the Dockerfile copies.
stage() {
    mkdir -p "$1/python/kiok" "$1/driver/compilers/sandbox" "$1/driver/compilers/images/driver" "$1/java"
    cp kiok/*.py "$1/python/kiok/"
    cp compilers/sandbox/protocol.py "$1/driver/compilers/sandbox/"
    cp compilers/images/driver/*.py "$1/driver/compilers/images/driver/"
    cp -R compilers/images/java/. "$1/java/"
    find "$1" -name __pycache__ -type d -prune -exec rm -rf {} +
    cp compilers/images/Dockerfile "$1/Dockerfile"
}

# Prints one hash of the names and contents of an image's files.
hash_of() {
    case "$2" in
        python) set -- "$1" Dockerfile python driver ;;
        java-builder) set -- "$1" Dockerfile java ;;
        *) set -- "$1" . ;;
    esac
    (
        cd "$1" && shift
        find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        echo "$BASE_IMAGE $JDK"
    ) | sha256sum | cut -d' ' -f1
}

hash_label() { docker image inspect --format '{{index .Config.Labels "kiok.inputs"}}' "$1" 2>/dev/null || true; }

have() { docker image inspect "$1" >/dev/null 2>&1; }

bootstrap_base() {
    mirror="$(scripts/debian_mirror.sh)"
    [ -n "$mirror" ] || fail "no registry provides $BASE_IMAGE, and this machine's apt sources name no Debian mirror" \
        "to build a base image from. Set KIOK_DEBIAN_MIRROR to a mirror, or KIOK_BASE_IMAGE to an image you have."
    if ! command -v mmdebstrap >/dev/null; then
        command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || fail "no registry provides $BASE_IMAGE, and mmdebstrap" \
            "is not installed. Install it (apt-get install mmdebstrap), or set KIOK_BASE_IMAGE to an image you have."
        say "installing mmdebstrap to build a base image from Debian packages"
        DEBIAN_FRONTEND=noninteractive apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends mmdebstrap >/dev/null
    fi
    say "building the base image $OWN_BASE from Debian packages (half a minute)"
    log="$work/mmdebstrap.log"
    # Write to a file, since a pipe would hide a failure of mmdebstrap.
    mmdebstrap --variant=minbase --components=main --include=ca-certificates \
        --aptopt='Apt::Install-Recommends "false"' bookworm "$work/base.tar" "$mirror" 2>"$log" || {
        tail -n 20 "$log" >&2
        fail "mmdebstrap could not build a base image from $mirror"
    }
    docker import --change 'CMD ["/bin/sh"]' "$work/base.tar" "$OWN_BASE" >/dev/null
    rm -f "$work/base.tar"
}

# Sets base to an image that exists locally.
find_base() {
    if have "$BASE_IMAGE"; then
        base="$BASE_IMAGE"
        return
    fi
    # The self-built base replaces only the default, not an image that KIOK_BASE_IMAGE names.
    if [ -z "${KIOK_BASE_IMAGE:-}" ] && have "$OWN_BASE"; then
        base="$OWN_BASE"
        return
    fi
    say "fetching the base image $BASE_IMAGE"
    if timeout "$PULL_SECONDS" docker pull -q "$BASE_IMAGE" >"$work/pull.log" 2>&1; then
        base="$BASE_IMAGE"
        return
    fi
    say "no registry provides it: $(tail -n 1 "$work/pull.log")"
    [ -z "${KIOK_BASE_IMAGE:-}" ] || fail "KIOK_BASE_IMAGE=$KIOK_BASE_IMAGE was found neither locally nor in a registry." \
        "Pull it, or unset the variable."
    bootstrap_base
    base="$OWN_BASE"
}

# Print the version in an image, such as 3.11.2 and 17.0.15, or nothing if the image has none.
version_of_python() {
    docker run --rm --network none --entrypoint sh "$1" -c \
        'command -v python3 >/dev/null || exit 0; python3 -c "import platform; print(platform.python_version())"'
}
version_of_java() {
    docker run --rm --network none --entrypoint sh "$1" -c \
        'cat /usr/lib/jvm/*/release 2>/dev/null || true' | sed -n 's/^JAVA_VERSION="\(.*\)"$/\1/p' | head -n 1
}

build() {
    tag="$(tag_of "$1")"
    say "building $tag"
    replaced="$(docker image inspect --format '{{.Id}}' "$tag" 2>/dev/null || true)"
    log="$work/build-$1.log"
    # The host's network, since package mirrors are often reachable only from there. The classic builder is
    # deprecated, but every engine since 18.09 has it, and it needs no plugin.
    DOCKER_BUILDKIT=0 docker build --network host --target "$1" --build-arg "BASE=$base" --build-arg "JDK=$JDK" \
        --iidfile "$work/id" "$work/context" >"$log" 2>&1 </dev/null || {
        tail -n 40 "$log" >&2
        fail "could not build $tag"
    }
    # Versions are known only after the build, so a second step adds all labels.
    id="$(cat "$work/id")"
    printf 'FROM %s\n' "$id" | DOCKER_BUILDKIT=0 docker build --tag "$tag" --label "kiok.inputs=$2" \
        --label "kiok.protocol=$protocol" --label "kiok.python=$(version_of_python "$id")" \
        --label "kiok.java=$(version_of_java "$id")" - >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        fail "could not label $tag"
    }
    # Remove the replaced image, unless it has another name or a container still uses it.
    [ -z "$replaced" ] || [ "$(docker image inspect --format '{{.Id}}' "$tag")" = "$replaced" ] ||
        docker image rm "$replaced" >/dev/null 2>&1 || true
}

# Removes images that were replaced while a container used them. Images that users built FROM them inherit the labels, so
# only an image whose last build step added the labels is removed.
remove_replaced() {
    for id in $(docker image ls --quiet --filter dangling=true --filter label=kiok.inputs); do
        case "$(docker history --no-trunc --format '{{.CreatedBy}}' "$id" | head -n 1)" in
            *" LABEL kiok.inputs="*) docker image rm "$id" >/dev/null 2>&1 || true ;;
        esac
    done
}

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no Docker engine answers at ${DOCKER_HOST:-the default socket}. Start one with scripts/engine.sh."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# A signal ends the shell without its EXIT trap, unless the signal's trap exits.
trap 'exit 130' INT TERM HUP
stage "$work/context"
protocol="$(sed -n 's/^VERSION = \([0-9]*\)$/\1/p' compilers/sandbox/protocol.py)"
[ -n "$protocol" ] || fail "compilers/sandbox/protocol.py has no VERSION"

base=
if [ "${1:-}" = base ]; then
    find_base >&2
    echo "$base"
    exit 0
fi
[ $# -gt 0 ] || set -- python java-builder java
built=
for image; do
    inputs="$(hash_of "$work/context" "$image")"
    if [ -z "${KIOK_REBUILD:-}" ] && [ "$(hash_label "$(tag_of "$image")")" = "$inputs" ]; then
        say "$(tag_of "$image") is current"
        continue
    fi
    [ -n "$base" ] || find_base
    build "$image" "$inputs"
    built=1
done
[ -z "$built" ] || remove_replaced
