"""Compare what the engine provides with what the sandbox requires.

A container with the service's own configuration compiles three files: one that tests the isolation layers (`probe.py`),
one that the first tries to forge, and one that fills the memory. No Django here.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob, SandboxUnavailable
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.language import Language
from compilers.sandbox.product import Product
from compilers.sandbox.protocol import VERSION
from compilers.source import Ignored, TreeEntry
from kiok.checks import CheckResult, CheckStatus

_LIMITS = {"MemoryLimit": "memory", "SwapLimit": "swap", "PidsLimit": "processes", "CpuCfsQuota": "CPU"}
_MIB = 1 << 20
_SLACK_BYTES = 128 * _MIB
_SLACK_PROCESSES = 16
_FIRST_UID = 1000  # lower ids are system users
_SIBLING = "from kiok import Dag\ndag = Dag('genuine')\ndag.task('t', script='true')\n"


@dataclass(frozen=True, slots=True)
class LayerResult(CheckResult):
    """The result for one isolation layer, with what is required.

    The status is WARN if the engine provides less than others do, but another layer bounds the damage.
    """

    expected: str = field(kw_only=True)

    @property
    def is_weaker(self) -> bool:
        """Return whether the layer is weaker with this engine than with others, but bounded by another layer."""
        return self.status is CheckStatus.WARN


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings of a check, with facts about the engine by name, which are not evaluated."""

    findings: tuple[LayerResult, ...]
    facts: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Return whether all requirements are met."""
        return not self.bad

    @property
    def bad(self) -> int:
        """Return how many layers provide less than required."""
        return sum(finding.failed for finding in self.findings)

    @property
    def weaker(self) -> int:
        """Return how many layers are weaker with this engine."""
        return sum(finding.is_weaker for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object, including `ok`."""
        findings = tuple(
            {
                "layer": finding.name,
                "expected": finding.expected,
                "found": finding.detail,
                "ok": not finding.failed,
                "weaker": finding.is_weaker,
            }
            for finding in self.findings
        )
        return {"ok": self.ok, "findings": findings, "facts": self.facts, "seconds": self.seconds}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Examination:
        """Read back `to_json`'s form."""
        return cls(
            findings=tuple(_layer(**finding) for finding in value["findings"]),
            facts=tuple((name, text) for name, text in value["facts"]),
            seconds=value["seconds"],
        )


def _layer(layer: str, expected: str, found: str, ok: bool, weaker: bool = False) -> LayerResult:
    status = CheckStatus.WARN if weaker else CheckStatus.OK if ok else CheckStatus.FAIL
    return LayerResult(layer, status, found, expected=expected)


def examine(sandbox: DockerSandbox, python: Language, labels: Sequence[tuple[str, str]] = ()) -> Examination:
    """Test the isolation layers in containers of the `python` language with `labels`. Takes a second or two.

    Raises SandboxUnavailable when there is no engine or no Python image.
    """
    begun = time.monotonic()
    engine = sandbox.engine.client()
    with sandbox.engine.answering():
        info, product = engine.info(), Product.of(engine.version())
    results = {result.path: result for result in sandbox.run(_job(sandbox, python, labels))}
    findings = (
        *_of_engine(info, product),
        *_of_images(sandbox),
        *_of_probe(results["probe.py"], sandbox, product),
        _of_sibling(results["sibling.py"]),
        _of_memory(results["hog.py"], sandbox),
    )
    return Examination(findings, tuple(_facts(info, product, sandbox)), time.monotonic() - begun)


def _job(sandbox: DockerSandbox, python: Language, labels: Sequence[tuple[str, str]]) -> SandboxJob:
    source = resources.files(__package__).joinpath("probe.py").read_text("utf-8")
    limits = sandbox.config.limits
    files = {
        "probe.py": f"{source}\nreport('/src/sibling.py', {limits.pids + _SLACK_PROCESSES})\n",
        "sibling.py": _SIBLING,
        "hog.py": f"{source}\nfill({limits.memory_bytes + _SLACK_BYTES})\n",
    }
    tree = _Sources({path: text.encode() for path, text in files.items()})
    return SandboxJob(
        language=python,
        files=list(files),
        entries=tree.entries,
        tree=tree,
        labels=tuple(labels),
        is_check=True,  # a missing limit must become a finding, not an error
    )


def unsupported_limits(info: Mapping[str, Any]) -> list[str]:
    """Return what an engine does not limit, by its own description (`/info`) as far as that is reliable.

    A rootless engine has no limits under cgroup v1, although rootless Podman reports them.
    """
    is_rootless = any("name=rootless" in str(option) for option in info.get("SecurityOptions") or ())
    if is_rootless and str(info.get("CgroupVersion", "1")) == "1":
        return list(_LIMITS.values())
    return [what for key, what in _LIMITS.items() if not info.get(key)]


def _of_engine(info: Mapping[str, Any], product: Product) -> Iterator[LayerResult]:
    yield _layer("engine", product.required, product.version, product.is_supported)
    missing = unsupported_limits(info)
    yield _layer(
        "control groups",
        "limit memory, swap, processes, CPU",
        f"no limit for {', '.join(missing)}" if missing else "all limited",
        not missing,
    )


def _of_images(sandbox: DockerSandbox) -> Iterator[LayerResult]:
    for language in sandbox.config.images:
        try:
            sandbox.image_digest(language)
        except SandboxUnavailable as exc:
            found, ok = str(exc), False
        else:
            found, ok = f"protocol {VERSION}", True
        yield _layer(f"image for {language.name}", f"protocol {VERSION}", found, ok)


def _of_probe(result: RawResult, sandbox: DockerSandbox, product: Product) -> Iterator[LayerResult]:
    limits = sandbox.config.limits
    try:
        found = json.loads(result.payload)
        status = found["status"]
    except (ValueError, TypeError, KeyError):
        output = " ".join(
            part for part in (result.outcome.value, result.detail, result.output[-500:]) if part
        )
        yield _layer("probe", "a report from inside the container", output, False)
        return
    uid, abi = found["uid"], found["landlock"]
    yield _layer("user", "unprivileged", f"uid {uid}", uid >= _FIRST_UID)
    none = int(status["CapEff"] or "1", 16) == int(status["CapBnd"] or "1", 16) == 0
    yield _layer(
        "capabilities", "none", "none" if none else f"{status['CapEff']} of {status['CapBnd']}", none
    )
    gained = status["NoNewPrivs"] == "1"
    yield _layer("no new privileges", "on", "on" if gained else "off", gained)
    filtered = status["Seccomp"] == "2"
    yield _layer("seccomp", "a filter", "a filter" if filtered else f"mode {status['Seccomp']}", filtered)
    yield _nothing("system calls", "sockets, io_uring, ptrace, ... refused", found["calls"])
    yield _layer(
        "Landlock",
        "available",
        f"ABI {abi}" if abi else "missing: each file runs in its own container, which is slower",
        abi > 0,
    )
    # Without Landlock this container had one file only.
    tampered = [] if not abi else found["sibling"]
    yield _nothing("other files' sources", "cannot be altered", tampered)
    writable = [folder for folder in found["elsewhere"] if abi or folder != "/src"]
    yield _nothing("writable folders", "only /tmp", writable)
    yield _nothing("the driver", "cannot be read or changed", found["driver"])
    interfaces = found["interfaces"]
    yield _layer(
        "network", "no interface except lo", ", ".join(interfaces) or "none", interfaces in ([], ["lo"])
    )
    seen = found["sys"]
    yield _layer("host devices", "hidden", f"visible: {', '.join(seen)}" if seen else "hidden", not seen)
    executable = found["executable"]
    found_executable = "programs can be executed" if executable else "noexec"
    yield _layer("programs in /tmp", "noexec", found_executable, not executable)
    for folder, wanted in (("tmp", limits.tmp_bytes), ("src", limits.src_bytes)):
        size = found[f"{folder}_bytes"]
        yield _layer(f"size of /{folder}", f"{wanted >> 20} MiB", f"{size >> 20} MiB", size <= wanted)
    for folder, most in (("tmp", limits.tmp_inodes), ("src", limits.src_inodes)):
        yield _of_inodes(folder, most, found[f"{folder}_inodes"], product)
    paths = found["control_groups"]
    yield _layer(
        "control group names",
        "hidden",
        "hidden" if not paths else f"the host's are visible: {paths[0]}; they can be read, not changed",
        ok=True,
        weaker=bool(paths),
    )
    files = found["open_files"]
    yield _layer("open files", f"{limits.max_open_files}", f"{files}", files <= limits.max_open_files)
    made = found["processes"]
    yield _layer("processes", f"{limits.pids}", f"stopped at {made}", made <= limits.pids)


def _of_inodes(folder: str, most: int, found: int, product: Product) -> LayerResult:
    """Evaluate the limit of files and folders in a tmpfs. The kernel reports a missing limit as 0."""
    layer, expected = f"files in /{folder}", f"{most}"
    if 0 < found <= most:
        return _layer(layer, expected, f"{found}", ok=True)
    if product.is_podman:
        weaker = f"no limit with {product.name}; their memory counts against the container's"
        return _layer(layer, expected, weaker, ok=True, weaker=True)
    return _layer(layer, expected, f"{found or 'no limit'}", ok=False)


def _nothing(layer: str, expected: str, given_way: Sequence[str]) -> LayerResult:
    return _layer(
        layer, expected, f"not blocked: {', '.join(given_way)}" if given_way else "as expected", not given_way
    )


def _of_sibling(result: RawResult) -> LayerResult:
    try:
        ids = [dag["id"] for dag in json.loads(result.payload)["dags"]]
    except (ValueError, TypeError, KeyError):
        ids = [f"{result.outcome.value}: {result.detail}"]
    genuine = ids == ["genuine"]
    return _layer("another file's result", "genuine", "genuine" if genuine else f"{ids}", genuine)


def _of_memory(result: RawResult, sandbox: DockerSandbox) -> LayerResult:
    wanted = sandbox.config.limits.memory_bytes >> 20
    reached = (result.output.split() or ["0"])[-1]
    stopped = result.outcome in (CompileOutcome.KILLED, CompileOutcome.LOST)
    return _layer(
        "memory",
        f"{wanted} MiB",
        f"stopped at {reached} MiB" if stopped else f"not stopped at {reached} MiB ({result.outcome.value})",
        stopped and reached.isdecimal() and int(reached) <= wanted,
    )


def _facts(info: dict[str, Any], product: Product, sandbox: DockerSandbox) -> Iterator[tuple[str, str]]:
    yield "Engine", f"{product} at {sandbox.engine.where()}"
    yield "Runtime", sandbox.config.runtime or str(info.get("DefaultRuntime", ""))
    system = (info.get("KernelVersion"), info.get("Architecture"), info.get("OperatingSystem"))
    yield "Kernel", ", ".join(str(part) for part in system if part)
    yield "Control groups", f"version {info.get('CgroupVersion', '1')}"
    for language, name in sandbox.config.images.items():
        try:
            found = [sandbox.image_digest(language)]
            found += [f"{of} {version}" for of, version in sandbox.engine.image_versions(language).items()]
        except SandboxUnavailable:
            found = ["not available"]
        yield f"Image for {language.name}", f"{name} ({', '.join(found)})"
    yield "Protocol", str(VERSION)


class _Sources:
    """The files of the check as a tree."""

    commit = "0" * 40
    refused: Sequence[Ignored] = ()
    oversized: Sequence[TreeEntry] = ()
    links_outside: Sequence[TreeEntry] = ()

    def __init__(self, contents: dict[str, bytes]) -> None:
        self._contents = contents
        self.entries: Sequence[TreeEntry] = tuple(
            TreeEntry(path, "100644", hashlib.sha1(content, usedforsecurity=False).hexdigest(), len(content))
            for path, content in contents.items()
        )

    def read(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, bytes]]:
        for entry in entries:
            yield entry, self._contents[entry.path]
