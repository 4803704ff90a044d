#!/bin/sh
# Prints the Python to make the virtual environment with: PYTHON if set, else python3.11, else python3.
# The locked requirements are for 3.11.
set -eu
for python in ${PYTHON:-python3.11 python3}; do
    if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        command -v "$python"
        exit 0
    fi
done
echo "python: no Python 3.11 on the PATH; install one, or set PYTHON to it" >&2
exit 1
