#!/bin/sh
# Runs all tests, or those that the arguments for pytest select. See scripts/test_lanes.py. A test that is skipped or
# expected to fail counts as a failure: the machine has all that is needed, and a test that does not run proves nothing.
set -eu
cd "$(dirname "$0")/.."

exec .venv/bin/python scripts/test_lanes.py "$@"
