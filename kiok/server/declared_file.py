"""Repositories declared in a YAML file.

- name: team-dags
  url: https://git.example.com/team/dags.git
  ref: main                      # or branch: main; tag:v1 for a tag
  subpath: dags                  # default: the whole repository
  credentialConnectionId: team-git
  enabled: true
  intervalMs: 60000              # default: kiok.gitsync.interval.ms
  include: ["*.py", /shared/]    # or text, one pattern per line; default: *.py
  verify: commit                 # or tag; default: off
  verifyConnectionId: team-keys  # has the trusted keys; required unless verify is off
  imagePython: team-python:1     # image that compiles *.py; default: kiok.sandbox.image.python
  imageJava: team-java:1         # image that compiles *.jar; default: kiok.sandbox.image.java
  webhookSecretConnectionId: team-hook   # its secret signs webhooks; default: webhooks are refused
  allowEmpty: false              # hold a commit that would prune every DAG; default: true
  owner: Team Sales              # of the DAGs that name no owner; default: none
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kiok.properties import parsers
from kiok.properties.declared import (
    DeclaredRepository,
    InvalidDeclaration,
    check,
    usable_name,
    without_ambiguous,
)
from kiok.text import joined_surrogates

KEYS = (
    *("name", "url", "ref", "branch", "subpath", "credentialConnectionId", "enabled", "intervalMs"),
    *("include", "verify", "verifyConnectionId", "imagePython", "imageJava"),
    *("webhookSecretConnectionId", "allowEmpty", "owner"),
)
MAX_FILE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """The declarations of a file. `problems` concern the file as a whole; each begins with `file:line: `."""

    repositories: tuple[DeclaredRepository, ...] = ()
    invalid: tuple[InvalidDeclaration, ...] = ()
    problems: tuple[str, ...] = ()


def read_file(path: Path) -> DeclaredFile:
    """Return the repositories of a YAML file. An invalid entry does not affect the others."""
    try:
        root = _composed(path)
    except _Unreadable as exc:
        return DeclaredFile(problems=(str(exc),))
    if root is None:
        return DeclaredFile()
    if not isinstance(root, yaml.SequenceNode):
        wanted = "expected a list of repositories (`- name: ...`)"
        return DeclaredFile(problems=(f"{path}:{_line(root)}: found {_kind(root)}; {wanted}",))
    found: dict[str, tuple[DeclaredRepository, int]] = {}
    invalid: list[InvalidDeclaration] = []
    for node in root.value:
        name = _name_of(node)
        problems: list[tuple[int, str]] = []
        values = _mapping(node, lambda line, text: problems.append((line, text)))  # noqa: B023 - called immediately
        invalid += [InvalidDeclaration(f"{path}:{line}", name, text) for line, text in problems]
        if problems:
            continue
        place = f"{path}:{_line(node)}"
        try:
            repository = check(_from_mapping(values))
        except ValueError as exc:
            invalid.append(InvalidDeclaration(place, name, str(exc)))
            continue
        first = found.setdefault(repository.name, (repository, _line(node)))
        if first[0] is not repository:
            problem = f"repository {repository.name!r} is already declared in line {first[1]}; keep one"
            invalid.append(InvalidDeclaration(place, repository.name, problem))
    repositories, all_invalid = without_ambiguous(
        (repository for repository, _ in found.values()), invalid, str(path)
    )
    return DeclaredFile(repositories, tuple(all_invalid))


class _Unreadable(Exception):
    """The file as a whole is unreadable; the message begins with `file:line: `."""


def _composed(path: Path) -> yaml.Node | None:
    """Return the root of the file's YAML, None for an empty file. Raises _Unreadable."""
    try:
        text = path.read_bytes()[: MAX_FILE_BYTES + 1]
    except OSError as exc:
        raise _Unreadable(f"{path}: cannot read: {exc.strerror}") from exc
    if len(text) > MAX_FILE_BYTES:
        raise _Unreadable(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    try:
        root: yaml.Node | None = yaml.compose(text.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as exc:
        line = text.count(b"\n", 0, exc.start) + 1
        raise _Unreadable(
            f"{path}:{line}: not UTF-8 text: byte 0x{text[exc.start]:02X} at offset {exc.start}; save it as UTF-8"
        ) from exc
    except yaml.reader.ReaderError as exc:
        line = text.decode()[: exc.position].count("\n") + 1
        raise _Unreadable(
            f"{path}:{line}: not YAML: it contains the character U+{int(exc.character):04X}, which must be escaped"
        ) from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line_or_none = f":{mark.line + 1}" if mark else ""
        problem = getattr(exc, "problem", None) or "syntax error"
        raise _Unreadable(f"{path}{line_or_none}: not YAML: {problem}") from exc
    except (RecursionError, ValueError, OverflowError) as exc:
        # ValueError and OverflowError: an escape of a character beyond U+10FFFF.
        reason = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise _Unreadable(f"{path}: not YAML: {reason}") from exc
    return root


def _name_of(node: yaml.Node) -> str:
    """Return the name of an entry, or "" if it has no usable one; the rest of the entry may be invalid."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == "name":
            return usable_name(value.value)
    return ""


def _from_mapping(values: dict[str, Any]) -> DeclaredRepository:
    return DeclaredRepository(
        name=values["name"],
        url=values["url"],
        ref=values.get("ref") or values.get("branch") or "main",
        subpath=values.get("subpath") or "",
        credential_connection_id=values.get("credentialConnectionId"),
        interval_ms=values.get("intervalMs"),
        enabled=values.get("enabled", True),
        include=values.get("include"),
        verify=values.get("verify", "off"),
        verify_connection_id=values.get("verifyConnectionId"),
        image_python=values.get("imagePython") or "",
        image_java=values.get("imageJava") or "",
        webhook_secret_connection_id=values.get("webhookSecretConnectionId"),
        allow_empty=values.get("allowEmpty", True),
        owner=values.get("owner") or "",
    )


def _mapping(node: yaml.Node, problem: Callable[[int, str], None]) -> dict[str, Any]:
    """Return a list item as Python values; report every problem with its line."""
    if not isinstance(node, yaml.MappingNode):
        problem(_line(node), f"found {_kind(node)}; expected a mapping with the keys {', '.join(KEYS)}")
        return {}
    values: dict[str, Any] = {}
    for key, value, line in _scalars(node, problem):
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            problem(line, f"unknown key {key!r}{hint} Known keys: {', '.join(KEYS)}")
        elif key in values:
            problem(line, f"duplicate key {key!r}")
        else:
            if key == "verify" and value is False:
                value = "off"  # YAML 1.1 reads a bare `off` as false
            elif key == "include" and isinstance(value, list):
                value = "\n".join(value)
            if isinstance(value, str):
                value = joined_surrogates(value)
                if reason := parsers.flaw_of(value):
                    problem(line, f"key {key!r} {reason}")
                    continue
            wanted = {"enabled": bool, "allowEmpty": bool, "intervalMs": int}.get(key, str)
            optional = value is None and key not in ("name", "url")
            if not optional and type(value) is not wanted:
                kind = {bool: "true or false", int: "a whole number", str: "text (quote it)"}[wanted]
                problem(line, f"key {key!r} is {_shown(value)}; expected {kind}")
            elif not optional:
                values[key] = value
    if "ref" in values and "branch" in values:
        problem(_line(node), "both 'ref' and 'branch' are set; they mean the same, keep one")
    for key in ("name", "url"):
        if key not in values and not any(k.value == key for k, _ in node.value):
            problem(_line(node), f"key {key!r} is missing")
    return values


def _scalars(node: yaml.MappingNode, problem: Callable[[int, str], None]) -> Iterator[tuple[str, Any, int]]:
    loader = yaml.SafeLoader("")
    try:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "include" and _is_list_of_text(value):
                yield key.value, [item.value for item in value.value], _line(key)
                continue
            if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
                problem(
                    _line(key),
                    f"key {getattr(key, 'value', '?')!r} is {_kind(value)}; expected a single value",
                )
                continue
            try:
                yield key.value, loader.construct_object(value), _line(key)
            except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                # PyYAML's constructors raise all of these for values that do not match an explicit tag.
                problem(_line(key), f"key {key.value!r} has a value that cannot be read; quote it")
    finally:
        loader.dispose()


def _is_list_of_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode) and all(
        isinstance(item, yaml.ScalarNode) and item.tag == "tag:yaml.org,2002:str" for item in node.value
    )


def _shown(value: object) -> str:
    return (
        "empty"
        if value is None
        else f"{value!r} ({type(value).__name__})"
        if len(repr(value)) < 60
        else "too long"
    )


def _kind(node: yaml.Node) -> str:
    return {"scalar": "a single value", "sequence": "a list", "mapping": "a mapping"}.get(
        str(getattr(node, "id", "")), "something else"
    )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
