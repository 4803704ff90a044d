#!/bin/sh
# Runs all static checks, even if one fails.
set -u
cd "$(dirname "$0")/.."

status=0
check() {
    printf 'lint: %s\n' "$*"
    ".venv/bin/$@" || status=1
}

# .kiok has the demo's copy of examples/. git ignores it, but a checkout need not be a git repository.
check ruff check --quiet --extend-exclude .kiok .
check ruff format --quiet --check --extend-exclude .kiok .
check mypy --no-error-summary
check lint-imports --no-cache
exit "$status"
