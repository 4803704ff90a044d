#!/bin/sh
# Every test, in the order of what they stand on. A test that is skipped or expected to fail is a failure: the
# machine has all that is needed, and a test that does not run shows nothing.
set -eu
cd "$(dirname "$0")/.."

results=build/test-results.xml
mkdir -p build
rm -f "$results"
status=0
.venv/bin/python -m pytest tests/unit tests/integration tests/sandbox tests/browser --junit-xml="$results" "$@" ||
    status=$?
# After pytest's summary only if there is something to say.
.venv/bin/python scripts/test_results.py "$results" tests.unit tests.integration tests.sandbox tests.browser || status=1
exit "$status"
