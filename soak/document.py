"""The figures of a soak in Markdown, as the section "figures" of docs/reliability.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
SECTION = "figures"


def markdown(report: Mapping[str, Any]) -> str:
    """Return the machine, the events, the latency of pushes and the resources of the processes."""
    return "\n\n".join(
        [_machine(report["machine"]), *map("\n".join, (_happened(report), _latency(report), _held(report)))]
    )


def _machine(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['cores']} cores ({facts['cpu']}), {facts['memory_gib']} GiB, Linux {facts['kernel']}, "
        f"Docker {facts['docker']}, Python {facts['python']}, git {facts['git']}; at commit {facts['commit']}."
    )


def _happened(report: Mapping[str, Any]) -> Iterator[str]:
    yield "| what | |"
    yield "|---|---:|"
    yield f"| minutes | {report['seconds'] / 60:.1f} |"
    yield f"| repositories, each polled every {report['interval_seconds']:g} s | {report['repositories']} |"
    yield f"| pushes | {report['pushes']} |"
    for state, number in sorted(report["syncs"].items()):
        yield f"| syncs that ended as {state} | {number} |"
    for kind, number in sorted(report["faults"].items()):
        yield f"| fault: {kind} | {number} |"
    yield f"| clusters that ended unexpectedly | {report['clusters_ended_by_themselves']} |"
    yield f"| comparisons of a repository in the store with the model | {report['compared']} |"
    yield f"| **violations** | **{len(report['violations'])}** |"
    yield f"| seconds from the last fault until every repository matched its last push | {report['settled_after_seconds']} |"


def _latency(report: Mapping[str, Any]) -> Iterator[str]:
    yield "| from push to committed, including faults | pushes | p50 (s) | p95 (s) | p99 (s) | longest (s) |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, told in report["latency"].items():
        figures = " | ".join(str(told.get(key, "")) for key in ("pushes", "p50", "p95", "p99", "max"))
        yield f"| {name} | {figures} |"


def _held(report: Mapping[str, Any]) -> Iterator[str]:
    yield "| process | number | longest life (s) | its memory (MiB) | added | its descriptors | added | verdict |"
    yield "|---|---:|---:|---:|---:|---:|---:|---|"
    by_role: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for life in report["processes"]:
        by_role[life["role"]].append(life)
    for role, lives in sorted(by_role.items()):
        longest = max(lives, key=lambda life: life["seconds"])
        verdicts = {life["verdict"] for life in lives if life["verdict"] != "short"} or {"short"}
        cells = [
            *(role, len(lives), f"{longest['seconds']:.0f}", f"{longest['memory_kib'][-1] / 1024:.1f}"),
            *(f"{longest['added_memory_kib'] / 1024:+.1f}", longest["descriptors"][-1]),
            *(f"{longest['added_descriptors']:+.1f}", "grows" if "grows" in verdicts else verdicts.pop()),
        ]
        yield f"| {' | '.join(map(str, cells))} |"
