#!/bin/sh
# Installs requirements/NAME.txt into .venv. Exits quickly if it is current.
#
#   scripts/venv.sh server|dev
#
# The hash of every package is checked. The project itself is not installed, since it runs from the checkout.
set -eu
cd "$(dirname "$0")/.."

name="$1"
say() { printf 'venv: %s\n' "$*"; }

python="$(scripts/python.sh)"
# Prints one hash of the environment's inputs. A stamp file in the environment has the hash that it was created with.
hash_of() { (cat "requirements/$1.txt" && "$python" -VV && echo "$python") | sha256sum | cut -d' ' -f1; }
current() { [ "$(cat ".venv/kiok-$1.stamp" 2>/dev/null)" = "$(hash_of "$1")" ] && .venv/bin/python -c '' 2>/dev/null; }

! current "$name" || exit 0
# The development requirements include those of the server.
if [ "$name" = server ] && current dev; then exit 0; fi

version() { "$1" -c 'import pip, sys; print(sys.version_info[:2])' 2>/dev/null; }
if [ "$(version .venv/bin/python)" != "$("$python" -c 'import sys; print(sys.version_info[:2])')" ]; then
    say "creating a virtual environment in .venv"
    rm -rf .venv
    "$python" -m venv .venv
fi
say "installing $(grep -c '^[a-z].*==' "requirements/$name.txt") packages (requirements/$name.txt)"
bar=off
if [ -t 1 ]; then bar=on; fi
rm -f .venv/kiok-*.stamp
.venv/bin/python -m pip --disable-pip-version-check install --quiet --progress-bar "$bar" --require-hashes \
    --requirement "requirements/$name.txt" </dev/null
hash_of "$name" >".venv/kiok-$name.stamp"
