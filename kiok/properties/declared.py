"""Repositories declared in the configuration rather than in the admin.

In a property: `name|url|ref|subpath[|credentialConnectionId]`, separated by commas. For a YAML file see `declared_file`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kiok.labels import owner_flaw
from kiok.properties import parsers
from kiok.text import joined_surrogates

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
CONNECTION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_PASSWORD = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@", re.IGNORECASE)
VERIFY = ("off", "commit", "tag")
_TAG_REFS = ("tag:", "refs/tags/", "semver:")


@dataclass(frozen=True, slots=True)
class DeclaredRepository:
    """A declared repository.

    `ref` is a branch or `tag:<name>`; `subpath` is "" for the whole repository; `interval_ms` None means
    the default interval; `include` has one pattern per line, None means the default patterns. `verify` is one of
    `VERIFY`. `image_python` and `image_java` are "" for the properties' images. `owner` is "" for none. `url`, `ref`,
    `subpath` and `include` are checked completely where they are used.
    """

    name: str
    url: str
    ref: str = "main"
    subpath: str = ""
    credential_connection_id: str | None = None
    interval_ms: int | None = None
    enabled: bool = True
    include: str | None = None
    verify: str = "off"
    verify_connection_id: str | None = None
    image_python: str = ""
    image_java: str = ""
    webhook_secret_connection_id: str | None = None
    allow_empty: bool = True
    owner: str = ""


@dataclass(frozen=True, slots=True)
class InvalidDeclaration:
    """A problem of an entry, which is therefore ignored; the other entries stay valid.

    `source` is where it is declared: `file:line`, or the property's source. `name` is the repository's name, "" if the
    entry has no usable one.
    """

    source: str
    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}"


# Lengths of the database columns in characters (gitsync.models.repository).
_MAX_CHARACTERS = {"url": 2000, "ref": 300, "subpath": 1024}
MAX_INTERVAL_MS = 2**31 - 1


def check(repository: DeclaredRepository) -> DeclaredRepository:
    """Return the repository if it is valid. Raises ValueError with what is wrong; never shows a password."""
    if not NAME.fullmatch(repository.name):
        raise ValueError(f"name {repository.name!r} does not match {NAME.pattern}")
    where = f"repository {repository.name!r}: "
    for key, text in _texts(repository):
        if reason := parsers.flaw_of(text):
            raise ValueError(where + f"{key} {reason}")
        limit = _MAX_CHARACTERS.get(key, len(text))
        if len(text) > limit:
            raise ValueError(where + f"{key} has {len(text)} characters; allowed: {limit} or fewer")
    if not repository.url:
        raise ValueError(where + "the url is empty")
    if _CONTROL.search(repository.url):
        raise ValueError(where + "the url contains blanks or control characters")
    if _PASSWORD.match(repository.url):
        raise ValueError(
            where + "the url contains a password; put the credential in a connection and set its id"
        )
    for key, connection in (
        ("credentialConnectionId", repository.credential_connection_id),
        ("verifyConnectionId", repository.verify_connection_id),
        ("webhookSecretConnectionId", repository.webhook_secret_connection_id),
    ):
        if connection is not None and not CONNECTION_ID.fullmatch(connection):
            raise ValueError(where + f"{key} {connection!r} does not match {CONNECTION_ID.pattern}")
    if repository.interval_ms is not None and not 1000 <= repository.interval_ms <= MAX_INTERVAL_MS:
        raise ValueError(
            where + f"intervalMs is {repository.interval_ms}; allowed: 1000 to {MAX_INTERVAL_MS}"
        )
    for key, image in (("imagePython", repository.image_python), ("imageJava", repository.image_java)):
        if image:
            try:
                parsers.image(image)
            except ValueError as exc:
                raise ValueError(where + f"{key} {image[:100]!r}: {exc}") from exc
    if repository.owner and (reason := owner_flaw(repository.owner)):
        raise ValueError(where + f"owner {reason}")
    _check_verification(repository, where)
    return repository


def _texts(repository: DeclaredRepository) -> Iterator[tuple[str, str]]:
    yield "url", repository.url
    yield "ref", repository.ref
    yield "subpath", repository.subpath
    yield "include", repository.include or ""
    yield "verify", repository.verify
    yield "imagePython", repository.image_python
    yield "imageJava", repository.image_java


def _check_verification(repository: DeclaredRepository, where: str) -> None:
    if repository.verify not in VERIFY:
        raise ValueError(where + f"verify is {repository.verify!r}; allowed: {', '.join(VERIFY)}")
    if repository.verify != "off" and repository.verify_connection_id is None:
        raise ValueError(
            where
            + f"verify is {repository.verify!r}, but verifyConnectionId is missing: set it to the connection "
            "with the trusted keys"
        )
    if repository.verify == "tag" and not repository.ref.startswith(_TAG_REFS):
        raise ValueError(
            where
            + f"verify is 'tag', but the ref {repository.ref!r} is not a tag; use tag:<name>, or verify: commit"
        )


def parse_list(text: str) -> tuple[DeclaredRepository, ...]:
    """Parse the property's form. Raises ValueError for the first problem."""
    repositories, invalid = read_list(text, "")
    if invalid:
        raise ValueError(invalid[0].problem)
    return repositories


def read_list(text: str, source: str) -> tuple[tuple[DeclaredRepository, ...], list[InvalidDeclaration]]:
    """Return the repositories in the property's form, and the problems; an invalid item does not affect the others."""
    found, invalid = [], []
    for item in filter(None, (item.strip() for item in joined_surrogates(text).split(","))):
        try:
            found.append(_from_fields(item))
        except ValueError as exc:
            invalid.append(InvalidDeclaration(source, usable_name(item.partition("|")[0].strip()), str(exc)))
    return without_ambiguous(found, invalid, source)


def usable_name(text: object) -> str:
    """Return `text` if it can be a repository's name, else ""."""
    return text if isinstance(text, str) and NAME.fullmatch(text) else ""


def _from_fields(item: str) -> DeclaredRepository:
    fields = [field.strip() for field in item.split("|")]
    if len(fields) not in (4, 5):
        raise ValueError(
            f"{fields[0]!r} has {len(fields)} fields separated by |; expected 4 or 5: "
            "name|url|ref|subpath[|credentialConnectionId] (ref and subpath may be empty)"
        )
    name, url, ref, subpath = fields[:4]
    return check(
        DeclaredRepository(name, url, ref or "main", subpath, (fields[4] or None) if fields[4:] else None)
    )


def show_list(repositories: tuple[DeclaredRepository, ...]) -> str:
    """Return the repositories in the property's form."""
    return ", ".join(
        "|".join((r.name, r.url, r.ref, r.subpath, *filter(None, (r.credential_connection_id,))))
        for r in repositories
    )


def without_ambiguous(
    repositories: Iterable[DeclaredRepository], invalid: Iterable[InvalidDeclaration], source: str
) -> tuple[tuple[DeclaredRepository, ...], list[InvalidDeclaration]]:
    """Return the repositories that are declared exactly once and are valid, and all problems.

    Two entries with the same name are both ignored, valid or not: which of them is meant is unknown.
    """
    problems = list(invalid)
    refused = {problem.name for problem in problems}
    result: dict[str, DeclaredRepository] = {}
    for repository in repositories:
        if repository.name in result and repository.name not in refused:
            refused.add(repository.name)
            problem = f"repository {repository.name!r} is declared twice; keep one"
            problems.append(InvalidDeclaration(source, repository.name, problem))
        result[repository.name] = repository
    return tuple(item for name, item in result.items() if name not in refused), problems
