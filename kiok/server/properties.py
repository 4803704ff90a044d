"""Table of all properties of kiok, and the sources of their values.

The sources are the environment, then a Java-style properties file, then the table's defaults. The file is that of
`--config FILE` of manage.py, or the one that `KIOK_CONFIG` names. `load` reads all properties and raises an error if any
value is wrong, so every `Properties` object holds valid values.

Secrets are not properties: see kiok.server.keys.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from kiok.properties.declared import DeclaredRepository, InvalidDeclaration, read_list
from kiok.properties.gitsync import REPOSITORIES
from kiok.properties.parsers import DIRECTORY, flaw_of
from kiok.properties.property import Property, Setting
from kiok.properties.values import Properties
from kiok.server import keys, properties_file
from kiok.server.errors import PropertyError
from kiok.text import joined_surrogates

CONFIG_VARIABLE = "KIOK_CONFIG"
# Read elsewhere (kiok.server.keys, scripts/), so they cause no warning about an unknown variable.
_BY_SCRIPTS = (
    *("BASE_IMAGE", "DEBIAN_MIRROR", "IMAGE_PYTHON", "IMAGE_JAVA", "IMAGE_JAVA_BUILDER", "REBUILD"),
    *("BUILD_CA", "BUILD_PIP_CONF", "COMPOSE_DIR", "PUBLISH", "TAG"),
)
OTHER_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        *(f"{secret}{suffix}" for secret in keys.SECRETS for suffix in ("", "_FILE")),
        *(f"KIOK_{name}" for name in _BY_SCRIPTS),
    }
)

TABLE: Mapping[str, Property] = {
    line.name: line for line in (f.metadata.get("property") for f in fields(Properties)) if line is not None
}
_VARIABLES = {line.variable: line for line in TABLE.values()}


def settings_of(values: Properties) -> Iterator[Setting]:
    """Yield every property in the order of the table, with its value as text and its source."""
    for line in TABLE.values():
        value = getattr(values, line.attribute)
        source = values.sources.get(line.name, "default")
        yield Setting(line.name, line.parser.show(value), source, line.description)


def load(environ: Mapping[str, str], config: Path | None = None) -> Properties:
    """Read every property. `config` is the properties file; None: the one `KIOK_CONFIG` names, if any.

    Raises PropertyError with all problems together, except those of single declared repositories: these are in
    `invalid_repositories`, and stop neither the service nor the other repositories.
    """
    problems: list[str] = []
    invalid: list[InvalidDeclaration] = []
    file = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    entries = _entries(file, problems)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for line in TABLE.values():
        if line.variable in environ:
            raw, source = environ[line.variable], f"environment variable {line.variable}"
        elif line.name in entries:
            raw, source = entries[line.name].value, f"{file}:{entries[line.name].line}"
        else:
            # A default folder is relative to the current folder of the service, like a configured one.
            values[line.attribute] = (
                line.parser.parse(str(line.default)) if line.parser is DIRECTORY else line.default
            )
            continue
        raw = joined_surrogates(raw)
        if line.parser is REPOSITORIES:
            values[line.attribute], found = read_list(raw, f"{source}: {line.name}")
            invalid += found
            sources[line.name] = source
            continue
        try:
            values[line.attribute] = _value(line, raw)
            sources[line.name] = source
        except ValueError as exc:
            problems.append(f"{source}: {line.name} {_found(raw)}: {exc}; allowed: {line.parser.allowed}")
    _add_declared_in_file(values, invalid, problems)
    _cross_check(values, problems)
    if problems:
        raise PropertyError([*problems, *map(str, invalid)])
    return Properties(
        **values,
        invalid_repositories=tuple(invalid),
        sources=sources,
        warnings=tuple(_unknown_variables(environ)),
    )


def _value(line: Property, raw: str) -> Any:
    """Return the property's value. Raises ValueError with what is wrong with the text."""
    if reason := flaw_of(raw):
        raise ValueError(f"it {reason}")
    return line.parser.parse(raw)


def _entries(file: Path | None, problems: list[str]) -> dict[str, properties_file.Entry]:
    if file is None:
        return {}
    try:
        entries = properties_file.read(file)
    except PropertyError as exc:
        problems.extend(exc.problems)
        return {}
    for entry in entries.values():
        if entry.key.lower().startswith("kiok.") and entry.key not in TABLE:
            problems.append(
                f"{file}:{entry.line}: unknown property {entry.key}{_did_you_mean(entry.key, TABLE)}; "
                "`manage.py properties` lists them"
            )
    return entries


def _add_declared_in_file(
    values: dict[str, Any], invalid: list[InvalidDeclaration], problems: list[str]
) -> None:
    """Set `file_repositories`. A name that is also declared in the property is removed from both."""
    values["file_repositories"] = ()
    path: Path | None = values.get("gitsync_repos_file")
    if path is None:
        return
    from kiok.server import (
        declared_file,
    )  # imported here: it needs YAML, which most configurations do not use

    found = declared_file.read_file(path)
    problems.extend(found.problems)
    in_property: tuple[DeclaredRepository, ...] = values.get("gitsync_repos", ())
    of_property = {item.name for item in in_property} | {item.name for item in invalid} - {""}
    of_file = {item.name for item in found.repositories} | {item.name for item in found.invalid}
    for name in sorted(of_property & of_file):
        problem = f"repository {name!r} is also declared in kiok.gitsync.repos; keep one"
        invalid.append(InvalidDeclaration(str(path), name, problem))
    invalid.extend(found.invalid)
    refused = {item.name for item in invalid}
    values["gitsync_repos"] = tuple(item for item in in_property if item.name not in refused)
    values["file_repositories"] = tuple(item for item in found.repositories if item.name not in refused)


def _cross_check(values: Mapping[str, Any], problems: list[str]) -> None:
    """Check rules that involve two properties."""
    git, sync = values.get("gitsync_git_timeout_ms"), values.get("gitsync_sync_timeout_ms")
    if git is not None and sync is not None and git > sync:
        problems.append(
            f"kiok.gitsync.git.timeout.ms ({git}) is greater than kiok.gitsync.sync.timeout.ms ({sync}); "
            "one git command cannot have more time than the whole sync"
        )
    if values.get("mail_host") and values.get("mail_from") == "":
        problems.append(
            "kiok.mail.host is set, but kiok.mail.from is not; set it to the From address of e-mail"
        )


def _found(raw: str) -> str:
    """Return the value for an error message: shortened, and hidden if it may contain a password in a URL."""
    if "@" in raw or "://" in raw:
        return "(value not shown, it may contain a credential)"
    return f"is {raw!r}" if len(raw) <= 100 else f"is {raw[:100]!r}..."


def _did_you_mean(name: str, known: Mapping[str, object]) -> str:
    # Compared without the common prefix, which would make different names seem similar.
    rest = {key[len("kiok.") :]: key for key in known}
    near = difflib.get_close_matches(name[len("kiok.") :], list(rest), n=1, cutoff=0.7)
    return f"; did you mean {rest[near[0]]}?" if near else ""


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environ):
        if name.startswith("KIOK_") and name not in _VARIABLES and name not in OTHER_VARIABLES:
            yield f"environment variable {name} is unknown and has no effect{_did_you_mean(name, _VARIABLES)}"
