"""Places where a secret of the service in use could be left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gitsync.models import Repository, SourceFile, SyncRun
from tests.support.canary import surfaces
from tests.support.canary.credentials import OWN, credentials, names_in
from tests.support.canary.marks import Marks
from tests.support.canary.processes import Sight
from tests.support.canary.scenes import Stage
from tests.support.environment import DATA_DIR

SHARED_MEMORY = Path("/dev/shm")

# Whose environment a credential may be in: those of one call of git, and ssh-keygen, which tells after a refused login
# whether the passphrase was the key's. `cat` is the noting programs' own.
MAY_HOLD_A_CREDENTIAL = {
    *("setpriv", "git", "git-remote-http", "ssh", "ssh-keygen", "askpass", "sh", "cat"),
}


def start_pages() -> tuple[str, ...]:
    """Pages no link leads to without a filter or script, and the root."""
    repositories = [repository.pk for repository in Repository.objects.all()]
    return (
        "/admin/",
        "/admin/login/",
        *(
            f"/admin/gitsync/repository/{pk}/{page}"
            for pk in repositories
            for page in ("change/", "history/", "delete/")
        ),
        *(f"/admin/gitsync/repository/{pk}/sync/status/" for pk in repositories),
        *(f"/admin/gitsync/syncrun/{pk}/change/" for pk in SyncRun.objects.values_list("pk", flat=True)),
        *(
            f"/admin/gitsync/sourcefile/{pk}/change/"
            for pk in SourceFile.objects.values_list("pk", flat=True)
        ),
    )


def left_files(stage: Stage, began: float) -> Iterator[tuple[Path, bytes]]:
    """Return the files of the service on disk and in memory: its data, its temporary files, those of the machine."""
    yield from surfaces.files(stage.data)
    yield from surfaces.files(stage.temporary)
    yield from surfaces.files(DATA_DIR, without=[DATA_DIR / "postgres"])
    yield from surfaces.files(SHARED_MEMORY)
    # Other tests' folders, and where this test keeps its servers' keys.
    apart = [*Path("/tmp").glob("pytest-of-*"), *Path("/tmp").glob("kiok-tests-*"), stage.root]
    yield from surfaces.files(Path("/tmp"), without=apart, newer_than=began)


def held_wrongly(sights: list[Sight], marks: Marks, cluster_pid: int) -> dict[str, list[str]]:
    """Processes that hold in their environment what they should not.

    The service's own processes hold its own secrets, and no credential. A call of git, a session of its own,
    holds its one credential, and nothing of the service's.
    """
    wrong: dict[str, list[str]] = {}
    for sight in sights:
        own, lent = names_in(sight.environment, marks) & OWN, credentials(sight, marks)
        is_service = b"manage.py" in sight.command.split(b"\0")
        may_borrow = sight.name in MAY_HOLD_A_CREDENTIAL and sight.session != cluster_pid
        if own and not is_service:
            wrong[f"environment of {sight}"] = sorted(own)
        if lent and (is_service or not may_borrow or len(lent) > 1):
            wrong[f"environment of {sight}"] = sorted(lent)
        if not own and not lent and (places := marks.found_in(sight.environment)):
            wrong[f"environment of {sight}"] = places  # encoded, or a key
    return wrong
