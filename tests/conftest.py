"""Fixtures for every test. The environment is made in tests/support/environment.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management.commands import flush
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from whitenoise.middleware import WhiteNoiseMiddleware

# An example may take long on a busy machine. Benchmarks measure speed, not property tests. Hypothesis's own profile "ci"
# has the same settings.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For a second run of the same tests, on another version of Python. A test's own number of examples stays.
hypothesis_settings.register_profile("few", hypothesis_settings.get_profile("patient"), max_examples=10)
if hypothesis_settings.get_current_profile_name() != "ci":
    hypothesis_settings.load_profile("patient")

pytest_plugins = ["tests.support.servers.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that link a test to rules and cases; see tests/support/rules.py."""
    config.addinivalue_line("markers", "rule(*ids): a rule of docs/git-rules.md that the test shows")
    config.addinivalue_line("markers", "case(*ids): a case of docs/git-rules.md that the test shows")


# Files that take more than half a minute, the longest first. They begin first, so that no process runs one alone at the end.
LONG = (
    *("stack/test_debian_13.py", "integration/sync/test_stateful.py", "sandbox/test_sandbox_pool.py"),
    *("faults/test_lost_workers.py", "integration/repositories/test_declaration_removal.py"),
    *("stack/test_stack.py", "sandbox/test_podman.py", "integration/queue/test_task_allowlist.py"),
    *("integration/sync/test_sync_loops.py", "sandbox/test_gvisor.py", "faults/test_lost_store.py"),
    *("integration/admin/test_access.py", "integration/server/test_secret_leaks.py"),
    *("sandbox/test_sandbox_surroundings.py", "integration/cluster/test_leader.py"),
    *("integration/worker/test_several_machines.py", "sandbox/test_attacks_jars.py"),
    *("integration/sync/test_hundred_repositories.py", "integration/sync/test_killed_sync.py"),
    *("integration/server/test_embedded.py", "integration/worker/test_killed_workers.py"),
    *("integration/server/test_soak.py", "integration/server/test_slow_clients.py"),
    *("unit/test_kiok_command_limits.py", "integration/worker/test_poller.py"),
    *("integration/server/test_run_service.py", "integration/api/test_api_property.py"),
    *("integration/git/test_git_ssh.py", "integration/git/test_git_force_pushes.py"),
    *("unit/test_jar_child.py", "integration/server/test_upgrade.py", "sandbox/test_demo.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the other tests keep their order."""
    rank = {str(Path(__file__).parent / name): number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(str(item.path), len(LONG)))


@pytest.fixture(scope="session")
def django_db_modify_db_settings_xdist_suffix() -> None:
    """Keep the name of the test database: each process of pytest-xdist has a server of its own."""


@pytest.fixture(scope="session", autouse=True)
def _cheap_rounds() -> Iterator[None]:
    """Make what hundreds of tests repeat cheap: emptying tables, creating an administrator or a client.

    TRUNCATE creates new files for two dozen tables and their indexes, a hundred times as slow as deleting a few rows. As
    with TRUNCATE, the lock waits for the writes of a process that a test killed. Rows that migrations insert stay, so
    that they need not be inserted again. Static files have not changed, so that a new client need not search for them.
    """
    from gitsync.tasks import ensure_schedule

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", _deletes)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: ensure_schedule())
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", _static_files())
        patch.setattr(settings, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"])
        yield


def _static_files() -> Callable[[WhiteNoiseMiddleware], None]:
    """Return WhiteNoise's `add_files_from_finders`, which reads all folders of static files, but only once."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def add_files_from_finders(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    return add_files_from_finders


_MIGRATED = ("django_content_type", "auth_permission")


def _deletes(
    self: DatabaseOperations,
    style: object,
    tables: Sequence[str],
    *,
    reset_sequences: bool = False,
    allow_cascade: bool = False,
) -> list[str]:
    """Return the statements that empty these tables, as Django's `sql_flush` does."""
    names = [self.quote_name(table) for table in tables if table not in _MIGRATED]
    lock = f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE"
    without_order = "SET LOCAL session_replication_role = replica"  # foreign keys are not checked
    return ["; ".join([lock, without_order, *(f"DELETE FROM {name}" for name in names)])] if names else []
