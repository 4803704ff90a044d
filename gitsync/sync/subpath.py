"""Check that a commit contains the configured folder, before anything else of the commit is used.

If a folder that an earlier sync found is gone, its last file was deleted, because git keeps no empty folders. Its DAGs
are pruned. In every other case the sync fails and nothing changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db.models import Q

from gitsync.errors import SubpathMissing, SubpathMoved, SubpathNotAFolder
from gitsync.git.scope import is_within
from gitsync.git.tree import GitTree, PathKind
from gitsync.models import FileState, Repository
from gitsync.sync.remote import Remote


def check_subpath(tree: GitTree, remote: Remote, repository: Repository) -> None:
    """Raise SyncError unless the subpath is a folder of the commit, or everything in it was deleted.

    Raises GitError too.
    """
    subpath = remote.subpath
    if not subpath or tree.kind_of(subpath) is PathKind.FOLDER:
        return
    was_synced = repository.synced_location == repository.location
    at = f"commit {tree.commit[:12]} of {remote.ref}"
    if obstacle := _obstacle(tree, subpath, now=" now" if was_synced else ""):
        what, remedy = obstacle
        raise SubpathNotAFolder(f"{what}, in {at}. Nothing was changed. {remedy}")
    if not was_synced:
        raise SubpathMissing(
            f"{at} has no folder {subpath!r}, and no earlier sync found one. "
            "Nothing was changed. Correct the subpath, or push the folder"
        )
    if moved := _moved(tree, subpath, repository):
        what, remedy = moved
        raise SubpathMoved(
            f"{what}, in {at}. Nothing was changed. {remedy}. To remove the DAGs instead, push {subpath} with some other "
            f"file in it, such as {subpath}/.gitkeep"
        )


def _obstacle(tree: GitTree, subpath: str, *, now: str) -> tuple[str, str] | None:
    """Return what is in the place of the subpath or of a folder above it, and what to do; None if nothing is."""
    parts = subpath.split("/")
    for depth in range(1, len(parts) + 1):
        path, below = "/".join(parts[:depth]), parts[depth:]
        kind = tree.kind_of(path)
        if kind in (None, PathKind.FOLDER):
            continue
        if kind is PathKind.FILE:
            return f"{path} is a file{now}", f"Restore the folder {subpath}, or correct the subpath"
        link = tree.read_link(path)
        what = f"{path} is a {link.kind}{now} ({link}; {link.rule})"
        if kind is PathKind.SUBMODULE:
            return (
                what,
                f"Add the submodule's repository as a repository of its own, or restore the folder {path}",
            )
        if link.resolved is None:
            return what, f"Restore the folder {path}, or set the subpath to a folder of this repository"
        target = "/".join(filter(None, [link.resolved, *below]))
        return what, f"Set the subpath to its target {target!r}, or restore the folder {path}"
    return None


def _moved(tree: GitTree, subpath: str, repository: Repository) -> tuple[str, str] | None:
    """Return where the files that gave DAGs are now, and what to do; None if the commit contains none of them.

    One file is enough: others may have been edited in the same commit. A copy mistaken for a move costs one more push,
    while an overlooked move costs every DAG.
    """
    gave_dags = Q(dags__gt=0) | Q(state=FileState.FAILED)
    recorded = repository.files.filter(gave_dags).exclude(blob_sha="").values_list("path", "blob_sha")
    blobs = {path: blob for path, blob in recorded if is_within(path, subpath)}
    found = tree.find_blobs(set(blobs.values())) if blobs else {}
    if not found:
        return None
    here = {path: found[blob] for path, blob in blobs.items() if blob in found}
    count = f"{len(here)} of its {len(blobs)} files with DAGs"
    folder = _new_folder(subpath, here)
    if folder is None:
        path, (there, *_) = min(here.items())
        what = f"{subpath} is gone, and {count} are elsewhere ({path} is now {there})"
        return what, "Change the subpath to the folder that holds them"
    if not folder:
        return f"{subpath} has moved to the repository's root ({count} are there)", "Make the subpath empty"
    return f"{subpath} has moved to {folder} ({count} are there)", f"Change the subpath to {folder!r}"


def _new_folder(subpath: str, here: Mapping[str, Iterable[str]]) -> str | None:
    """Return the folder with most of the files under the same relative paths; None if no file kept its relative path."""
    folders = Counter[str]()
    for path, places in here.items():
        below = path[len(subpath) :]  # with the leading slash
        folders.update(
            {f"/{place}".removesuffix(below)[1:] for place in places if f"/{place}".endswith(below)}
        )
    return max(folders, key=lambda folder: (folders[folder], -len(folder), folder), default=None)
