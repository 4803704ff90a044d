"""Compile the classes of one jar in as many JVMs as necessary.

The Java side runs the classes in the order of their names, so that the classes left after one that exits, hangs
or exhausts the memory are a suffix, with which the next JVM continues.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .jvm import Garbled, Java, Jvm, JvmEnded, TooSlow, order_of
from .report import MAX_DIAGNOSTICS, Report

MAX_CLASSES = 10_000

_LEAST_CLASS_SECONDS = 1.0
_MAX_NOTES = 3 * MAX_DIAGNOSTICS
# Records about the jar as a whole, sent before the list of its classes.
_NOTES: Mapping[bytes, Callable[[Report, str], None]] = {
    b"P": Report.problem,
    b"D": Report.doubt,
    b"N": Report.not_a_dag,
}


@dataclass
class JarWork:
    """The compile of one jar's classes in as many JVMs as necessary."""

    java: Java
    jar: str
    timeout_seconds: float
    deadline: float
    max_record_bytes: int
    report: Report
    ahead: Jvm | None = None  # a JVM that already waits for the jar
    unreadable: bool = False
    classes: list[str] | None = None
    first: int = 0  # the class that the next JVM starts with
    current: int | None = None  # the class that is running
    begun_at: float = 0.0
    slowest: tuple[float, str] = (0.0, "")

    def run(self) -> None:
        try:
            while not self._over():
                self._run_one()
        finally:
            if self.ahead is not None:
                self.ahead.kill()

    def _run_one(self) -> None:
        started_with = self.first
        jvm = self._jvm()
        try:
            self._follow(jvm)
        except JvmEnded as end:
            self._settle(end, started_with)
        finally:
            jvm.kill()

    def _jvm(self) -> Jvm:
        """Return a JVM with its order: the one started in advance if it is alive, otherwise a new one."""
        order = order_of(self.first, self.jar)
        ahead, self.ahead = self.ahead, None
        if ahead is not None:
            if ahead.begin(order, self.deadline):
                return ahead
            ahead.kill()
        return Jvm(self.java, order)

    def _over(self) -> bool:
        if self.unreadable or (self.classes is not None and self.first >= len(self.classes)):
            return True
        if time.monotonic() < self.deadline:
            return False
        blame = f" was used up, mostly by class {self.slowest[1]}" if self.slowest[1] else " was used up"
        for name in (self.classes or [])[self.first :]:
            self.report.problem(
                f"class {name}: not compiled: the jar's time limit of {self.timeout_seconds:g} s{blame}"
            )
        return True

    def _follow(self, jvm: Jvm) -> None:
        """Read records until the JVM ends or all classes are done."""
        self.current = None
        listed = False
        notes: list[tuple[bytes, str]] = []
        while True:
            kind, body = jvm.record(self._limit(), self.max_record_bytes)
            if kind in _NOTES and not listed:
                if len(notes) < _MAX_NOTES:
                    notes.append((kind, _text(body)))
            elif kind == b"F" and self.classes is None:
                self.unreadable = True
                self.report.problem(_text(body))
                return
            elif kind == b"C" and not listed:
                self._list(_names(body), notes)
                listed = True
            elif kind in (b"B", b"R", b"X") and listed:
                self._class_record(kind, body)
            elif kind == b"E" and listed and self.first == len(self.classes or ()):
                return
            else:
                raise Garbled

    def _list(self, classes: list[str], notes: list[tuple[bytes, str]]) -> None:
        if self.classes is None:
            self.classes = classes
            for kind, text in notes:
                _NOTES[kind](self.report, text)
        elif self.classes != classes:
            raise Garbled

    def _class_record(self, kind: bytes, body: bytes) -> None:
        classes = self.classes or []
        numbers = 2 if kind == b"X" else 1
        if len(body) < 4 * numbers:
            raise Garbled
        index, *rest = struct.unpack_from(f">{numbers}i", body)
        expected = self.first if kind == b"B" else self.current
        if index != expected or index >= len(classes) or (kind == b"B" and self.current is not None):
            raise Garbled
        if kind == b"B":
            self.current, self.begun_at = index, time.monotonic()
            return
        if kind == b"R":
            self.report.dag(classes[index], body[4:])
        else:
            self.report.problem(_text(body[8:]), line=rest[0])
        self._finish(classes[index])

    def _finish(self, name: str) -> None:
        self.slowest = max(self.slowest, (time.monotonic() - self.begun_at, name))
        self.first += 1
        self.current = None

    def _limit(self) -> float:
        """Return the deadline of the next record.

        A class may use its share of the remaining time: a quarter while four or more are left, so that
        one that hangs leaves time for the rest, and all of it if it is the last.
        """
        if self.current is None or self.classes is None:
            return self.deadline
        share = (self.deadline - self.begun_at) / min(len(self.classes) - self.current, 4)
        return min(self.begun_at + max(share, _LEAST_CLASS_SECONDS), self.deadline)

    def _settle(self, end: JvmEnded, started_with: int) -> None:
        """Blame the class that a JVM ended with, unless another attempt may be more precise."""
        if self.classes is None:
            self.classes = []  # this jar has no other result
            self.report.problem(f"the jar's classes could not be listed: {end}")
            return
        in_work = self.current
        if in_work is None and self.first > started_with:
            return  # between two classes: the process could not run another one
        if in_work is not None and end.died and in_work != started_with:
            return  # an earlier class may have caused its end; this class gets a new JVM
        name = self.classes[self.first]
        if in_work is None:
            self.begun_at = time.monotonic()
        why = f"{end}{end.hint}"
        if isinstance(end, TooSlow):
            why = f"hangs or is too slow: it was given {time.monotonic() - self.begun_at:.1f} s"
        self.report.problem(f"class {name}: {why}")
        self._finish(name)


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _names(body: bytes) -> list[str]:
    names = _text(body).split("/") if body else []
    if len(names) > MAX_CLASSES:
        raise JvmEnded(f"it has {len(names)} DAG classes; at most {MAX_CLASSES} are allowed")
    return names
