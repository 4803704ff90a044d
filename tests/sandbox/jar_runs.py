"""Run jars in the real sandbox and read the results."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from compilers.formats.jar import JAVA
from compilers.sandbox.base import CompileOutcome, Sandbox, SandboxJob
from kiok.compiled import CompiledFile, decode
from kiok.errors import Diagnostic
from tests.support.trees import MemoryTree


@dataclass(frozen=True)
class JarRun:
    """The outcome of a jar: the compiled file and its code's output."""

    compiled: CompiledFile
    output: str
    seconds: float

    @property
    def dag_ids(self) -> list[str]:
        return [dag.id for dag in self.compiled.dags]

    @property
    def messages(self) -> list[str]:
        return [diagnostic.message for diagnostic in self.compiled.diagnostics]

    @property
    def doubts(self) -> list[str]:
        return [doubt.message for doubt in self.compiled.doubts]

    def about(self, class_name: str) -> Diagnostic:
        """Return the only diagnostic of that class."""
        mine = [d for d in self.compiled.diagnostics if d.message.startswith(f"class {class_name}:")]
        assert len(mine) == 1, self.messages
        return mine[0]


def run_jars(sandbox: Sandbox, jars: Mapping[str, bytes]) -> dict[str, JarRun]:
    """Compile jars, named by path, in one container."""
    tree = MemoryTree(jars)
    job = SandboxJob(language=JAVA, files=list(jars), entries=tree.entries, tree=tree)
    runs = {}
    for result in sandbox.run(job):
        assert result.outcome is CompileOutcome.OK, result
        runs[result.path] = JarRun(decode(result.payload), result.output, result.seconds)
    assert list(runs) == list(jars)
    return runs


def run_jar(sandbox: Sandbox, jar: bytes) -> JarRun:
    return run_jars(sandbox, {"lib/dags.jar": jar})["lib/dags.jar"]


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """Return a jar of these entries in this order; equal entries give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as jar:
        for name, content in entries.items():
            jar.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def rezipped(
    jar: bytes,
    *,
    changed: Mapping[str, bytes] | None = None,
    without: frozenset[str] = frozenset(),
) -> bytes:
    """Return the jar with entries changed or added, and others removed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(jar)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        entries = {name: old.read(name) for name in old.namelist() if not name.endswith("/")}
        for name, content in {**entries, **(changed or {})}.items():
            if name not in without:
                new.writestr(name, content)
    return out.getvalue()
