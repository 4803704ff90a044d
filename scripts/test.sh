#!/bin/sh
# Every test, or those that the arguments select, which are pytest's; see scripts/test_lanes.py. A test that is skipped
# or expected to fail is a failure: the machine has all that is needed, and a test that does not run shows nothing.
set -eu
cd "$(dirname "$0")/.."

exec .venv/bin/python scripts/test_lanes.py "$@"
