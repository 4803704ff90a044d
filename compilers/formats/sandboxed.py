"""The compile of sources in the sandbox: one container for the whole batch, one validated result per source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from compilers.formats.base import Batch
from compilers.result import FileResult, failed, result_of_raw
from compilers.sandbox.base import SandboxJob, SandboxUnavailable
from compilers.sandbox.hints import with_hints
from compilers.sandbox.language import Language
from compilers.source import CompilerError, TreeEntry


def run_batch(
    batch: Batch,
    language: Language,
    entries: Sequence[TreeEntry],
    texts: Mapping[str, str],
) -> Iterator[tuple[FileResult, bool]]:
    """Compile the batch in one container that holds `entries`.

    Yield per source the result, and whether the source could not be loaded at all. Without an engine or an image every
    source fails with "sandbox unavailable"; untrusted code never runs on the host. A tree over the sandbox's limits
    fails every source with that limit's message.
    """
    waiting = {source.path: source for source in batch.sources}
    job = SandboxJob(
        language=language,
        files=[source.path for source in batch.sources],
        entries=entries,
        tree=batch.tree,
        import_roots=import_roots(batch.subpath),
        labels=batch.labels,
        image=batch.images.get(language.name, ""),
        note=batch.note,
    )
    unavailable = ""
    try:
        image = batch.sandbox.image_digest(language, job.image)
        name = batch.sandbox.image_name(language, job.image)
        batch.note(
            f"{len(waiting)} {language.name} files to compile with {job.image or 'the default image'} ({image[:19]})"
        )
        for raw in batch.sandbox.run(job):
            source = waiting.pop(raw.path)
            result, unloadable = result_of_raw(
                source,
                raw,
                text=texts.get(raw.path),
                image=image,
                time_limit=batch.sandbox.limits.timeout_seconds(language),
            )
            hinted = with_hints(result, raw, batch.sandbox.limits, language, files=len(job.files), image=name)
            yield hinted, unloadable
    except SandboxUnavailable as exc:
        message, retry, unavailable = f"sandbox unavailable: {exc}", True, exc.reason
    except CompilerError as exc:
        message, retry = str(exc), False
    else:
        message, retry = "the sandbox returned no result for this file", True
    for source in waiting.values():
        text = texts.get(source.path)
        yield failed(source, message, text=text, retry=retry, unavailable=unavailable), False


def import_roots(subpath: str) -> list[str]:
    """Return the import roots after a file's own folder: the scanned folder, then the repository's root."""
    return list(dict.fromkeys((subpath, "")))
