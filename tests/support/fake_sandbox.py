"""A sandbox without containers, for unit tests. It must pass the same contract tests as the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from compilers.sandbox.base import CompileOutcome, ImageMissing, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.source_tar import TreeRefused, measure

Script = Mapping[str, RawResult] | Callable[[SandboxJob, str], RawResult]


class FakeSandbox:
    """A sandbox that answers every file from a script: a mapping of path to result, or a function of job and path.

    A path that is not in the mapping is LOST. `unavailable` makes every call raise SandboxUnavailable.
    `digests` are those of the sandbox's own images, by default one for each language; `images` those of other images
    by reference. `jobs` records the received jobs.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        digests: Mapping[Language, str] | None = None,
        images: Mapping[str, str] | None = None,
        unavailable: str | None = None,
        limits: SandboxLimits | None = None,
    ) -> None:
        self._script: Script = {} if script is None else script
        self._digests = digests
        self._images = dict(images or {})
        self._limits = limits or SandboxLimits()
        self.unavailable = unavailable
        self.jobs: list[SandboxJob] = []

    @property
    def limits(self) -> SandboxLimits:
        return self._limits

    def image_digest(self, language: Language, image: str = "") -> str:
        """Return the scripted digest: for `image` the one in `images`. Raises SandboxUnavailable."""
        if self.unavailable is not None:
            raise SandboxUnavailable(self.unavailable)
        if image:
            if image not in self._images:
                raise ImageMissing(f"the image {image!r} for {language.name} files is not on the engine")
            return self._images[image]
        if self._digests is None:
            return f"sha256:{language.name:0>64}"
        if language not in self._digests:
            raise SandboxUnavailable(f"no image is configured for {language.name} files")
        return self._digests[language]

    def image_name(self, language: Language, image: str = "") -> str:
        """Return `image`, else a name for the sandbox's own image."""
        return image or f"fake-{language.name}"

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        """Yield one scripted result per file, in order. Raises SandboxUnavailable and TreeRefused."""
        if not job.files:
            return
        known = {entry.path for entry in job.entries}
        if absent := next((path for path in job.files if path not in known), None):
            raise TreeRefused(f"{absent!r} is to be compiled but not among the entries of the job")
        measure(job.entries, self._limits)
        self.image_digest(job.language, job.image)
        self.jobs.append(job)
        for path in job.files:
            yield self._answer(job, path)

    def _answer(self, job: SandboxJob, path: str) -> RawResult:
        if callable(self._script):
            return self._script(job, path)
        return self._script.get(path) or RawResult(path, CompileOutcome.LOST, detail="not in the script")
