"""The result of a jar: its DAGs and problems, limited to the payload's size."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from kiok.compiled import CompiledFile
from kiok.errors import Diagnostic
from kiok.spec import DagSpec
from kiok.strict_json import StrictJsonError, parse
from kiok.validation import authored_id, validate

MAX_DIAGNOSTICS = 200
MAX_MESSAGE_CHARS = 2_000


@dataclass
class Report:
    """The result of a jar so far, limited to the payload's size."""

    path: str
    max_bytes: int
    diagnostics: list[Diagnostic] = field(default_factory=list)
    dags: list[DagSpec] = field(default_factory=list)
    doubts: list[Diagnostic] = field(default_factory=list)
    reason: Diagnostic | None = None  # why the jar holds no DAG class
    owners: dict[str, list[str]] = field(default_factory=dict)  # DAG id -> the classes that defined it
    dag_bytes: int = 0

    def problem(self, message: str, *, line: int = 0) -> None:
        """Record a problem of the jar, or of the class that the message names."""
        self.add(Diagnostic(message, self.path, line if line > 0 else None))

    def doubt(self, message: str) -> None:
        """Record something that may define a DAG and could not be evaluated."""
        _append(self.doubts, Diagnostic(message, self.path))

    def not_a_dag(self, message: str) -> None:
        """Record why the jar holds no DAG class."""
        self.reason = Diagnostic(message, self.path)

    def add(self, diagnostic: Diagnostic) -> None:
        _append(self.diagnostics, diagnostic)

    def dag(self, class_name: str, text: bytes) -> None:
        """Add the DAG that a class defined, if it is valid."""
        try:
            raw = parse(text)
        except StrictJsonError as error:
            self.problem(f"class {class_name}: its DAG is not acceptable: {error}")
            return
        dag_id = authored_id(raw)
        if dag_id is not None:
            self.owners.setdefault(dag_id, []).append(class_name)
        spec, problems = validate(raw)
        for problem in problems:
            self.add(replace(problem.diagnostic(self.path), message=f"class {class_name}: {problem.message}"))
        if spec is None:
            return
        self.dag_bytes += len(json.dumps(spec.to_json()))
        if self.dag_bytes > self.max_bytes * 3 // 4:  # the rest is reserved for diagnostics
            room = self.max_bytes * 3 // 4
            self.problem(
                f"class {class_name}: including its DAG, those of the jar take more than {room} bytes"
            )
            return
        self.dags.append(spec)

    def payload(self, *, import_failed: bool) -> bytes:
        """Return the compiled file as JSON, with as many diagnostics as fit."""
        shared = {dag: classes for dag, classes in self.owners.items() if len(classes) > 1}
        for dag, classes in shared.items():
            names = " and ".join(classes[:10])
            message = f"classes {names} define DAGs with the same id; none of them is registered"
            self.diagnostics.insert(0, Diagnostic(message, self.path, dag=dag, key="id"))
        dags = tuple(spec for spec in self.dags if spec.id not in shared)
        diagnostics = tuple(self.diagnostics[:MAX_DIAGNOSTICS])
        doubts = tuple(self.doubts[:MAX_DIAGNOSTICS])
        while True:
            payload = CompiledFile(
                dags, diagnostics, import_failed=import_failed, not_a_dag=self.reason, doubts=doubts
            ).encode()
            if len(payload) <= self.max_bytes or len(diagnostics) + len(doubts) <= 1:
                return payload
            # The first doubt stays as long as possible: no doubt at all would count as a proof.
            diagnostics, doubts = diagnostics[: len(diagnostics) // 2], doubts[: max(1, len(doubts) // 2)]


def _append(diagnostics: list[Diagnostic], diagnostic: Diagnostic) -> None:
    if len(diagnostics) <= MAX_DIAGNOSTICS:
        message = diagnostic.message
        if len(message) > MAX_MESSAGE_CHARS:
            message = message[:MAX_MESSAGE_CHARS] + "..."
        diagnostics.append(replace(diagnostic, message=message))
