#!/bin/sh
# Prints the path of the Python for the virtual environment: PYTHON if set, else the first of python3, python3.14,
# python3.13, python3.12 and python3.11 with a supported version, 3.11 to 3.14.
set -eu
for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        command -v "$python"
        exit 0
    fi
done
echo "python: no Python 3.11, 3.12, 3.13 or 3.14 on the PATH (tried ${PYTHON:-python3 and python3.11 to python3.14})." \
    "Install one, or set PYTHON to its path" >&2
exit 1
