#!/bin/sh
# Copies the jars of the Java SDK for authors from the image that compiles it to build/. The machine needs no JDK.
set -eu
cd "$(dirname "$0")/.."

image="${KIOK_IMAGE_JAVA_BUILDER:-kiok-java-builder:dev}"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
mkdir -p build
for name in "" -sources; do
    jar="build/kiok-sdk-$version$name.jar"
    docker run --rm --network none "$image" cat "/out/kiok-sdk$name.jar" >"$jar.part"
    mv "$jar.part" "$jar"
    echo "$jar"
done
