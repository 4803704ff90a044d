#!/bin/sh
# Every static check, all of them even when one fails.
set -u
cd "$(dirname "$0")/.."

status=0
check() {
    printf 'lint: %s\n' "$*"
    ".venv/bin/$@" || status=1
}

check ruff check --quiet .
check ruff format --quiet --check .
check mypy --no-error-summary
check lint-imports --no-cache
exit "$status"
