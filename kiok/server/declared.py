"""Repositories declared in the configuration rather than in the admin.

In a property: `name|url|ref|subpath[|credentialConnectionId]`, separated by commas. In a YAML file: see `declared_file`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kiok.server import parsers

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
CONNECTION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_PASSWORD = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@", re.IGNORECASE)
VERIFY = ("off", "commit", "tag")
_TAG_REFS = ("tag:", "refs/tags/", "semver:")


@dataclass(frozen=True, slots=True)
class DeclaredRepository:
    """One declared repository.

    `ref` is a branch or `tag:<name>`; `subpath` is "" for the whole repository; `interval_ms` None means
    the default interval, `include` None the default patterns, else one a line. `verify` is one of `VERIFY`.
    `image_python` and `image_java` are "" for the properties' images. `url`, `ref`, `subpath` and `include`
    are checked in full where they are used.
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


def check(repository: DeclaredRepository) -> DeclaredRepository:
    """The repository itself. Raises ValueError with what is wrong; never shows a password."""
    if not NAME.fullmatch(repository.name):
        raise ValueError(f"name {repository.name!r} does not match {NAME.pattern}")
    where = f"repository {repository.name!r}: "
    if not repository.url:
        raise ValueError(where + "the url is empty")
    if _CONTROL.search(repository.url):
        raise ValueError(where + "the url holds blanks or control characters")
    if _PASSWORD.match(repository.url):
        raise ValueError(
            where + "the url holds a password; put the credential in a connection and name its id"
        )
    for key, connection in (
        ("credentialConnectionId", repository.credential_connection_id),
        ("verifyConnectionId", repository.verify_connection_id),
        ("webhookSecretConnectionId", repository.webhook_secret_connection_id),
    ):
        if connection is not None and not CONNECTION_ID.fullmatch(connection):
            raise ValueError(where + f"{key} {connection!r} does not match {CONNECTION_ID.pattern}")
    if repository.interval_ms is not None and repository.interval_ms < 1000:
        raise ValueError(where + f"intervalMs is {repository.interval_ms}; allowed: 1000 or more")
    for key, image in (("imagePython", repository.image_python), ("imageJava", repository.image_java)):
        if image:
            try:
                parsers.image(image)
            except ValueError as exc:
                raise ValueError(where + f"{key} {image[:100]!r}: {exc}") from exc
    _check_verification(repository, where)
    return repository


def _check_verification(repository: DeclaredRepository, where: str) -> None:
    if repository.verify not in VERIFY:
        raise ValueError(where + f"verify is {repository.verify!r}; allowed: {', '.join(VERIFY)}")
    if repository.verify != "off" and repository.verify_connection_id is None:
        raise ValueError(
            where
            + f"verify is {repository.verify!r}, but verifyConnectionId is missing: name the connection "
            "whose keys are trusted"
        )
    if repository.verify == "tag" and not repository.ref.startswith(_TAG_REFS):
        raise ValueError(
            where
            + f"verify is 'tag', but the ref {repository.ref!r} is no tag; write tag:<name>, or verify: commit"
        )


def parse_list(text: str) -> tuple[DeclaredRepository, ...]:
    """The property's form. Raises ValueError."""
    return unique(_from_fields(item.strip()) for item in text.split(",") if item.strip())


def _from_fields(item: str) -> DeclaredRepository:
    fields = [field.strip() for field in item.split("|")]
    if len(fields) not in (4, 5):
        raise ValueError(
            f"{fields[0]!r} has {len(fields)} fields between bars; wanted are 4 or 5: "
            "name|url|ref|subpath[|credentialConnectionId] (ref and subpath may be empty)"
        )
    name, url, ref, subpath = fields[:4]
    return check(
        DeclaredRepository(name, url, ref or "main", subpath, (fields[4] or None) if fields[4:] else None)
    )


def show_list(repositories: tuple[DeclaredRepository, ...]) -> str:
    """Back to the property's form."""
    return ", ".join(
        "|".join((r.name, r.url, r.ref, r.subpath, *filter(None, (r.credential_connection_id,))))
        for r in repositories
    )


def unique(repositories: Iterable[DeclaredRepository]) -> tuple[DeclaredRepository, ...]:
    """The repositories as a tuple. Raises ValueError when a name comes twice."""
    result: dict[str, DeclaredRepository] = {}
    for repository in repositories:
        if repository.name in result:
            raise ValueError(f"repository {repository.name!r} is declared twice")
        result[repository.name] = repository
    return tuple(result.values())
