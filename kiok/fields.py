"""Reading of the fields of an untrusted mapping (a DAG or a task in wire form), each by its own rule."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kiok.labels import MAX_TAGS, owner_flaw, tag_flaw
from kiok.problems import Location, Problems
from kiok.spelling import did_you_mean
from kiok.text import MAX_INT64, flaw, shown

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,249}")
_ID_RULE = "1 to 250 characters: letters, digits, '.', '_' or '-', the first a letter or digit"


class Fields:
    """Reader of the fields of a mapping, which reports problems; an invalid field gets its default value."""

    def __init__(
        self, value: dict[Any, Any], location: Location, problems: Problems, task: str | None = None
    ) -> None:
        self.value = value
        self._location = location
        self._problems = problems
        self._task = task
        self._bad: set[str] = set()

    def bad(self, key: str) -> bool:
        return key in self._bad

    def wrong(self, key: str, message: str, *inner: str | int) -> None:
        """Report a problem with the value of `key`, or with its entry `inner`."""
        self._bad.add(key)
        named = inner[0] if inner and isinstance(inner[0], str) else key
        self._problems.add(message, (*self._location, key, *inner), task=self._task, key=named)

    def missing(self, key: str, inner: str, message: str) -> None:
        """Report that the entry `inner` of `key` is missing, at the location of the nearest existing value."""
        location = (*self._location, key) if self.value.get(key) else self._location
        self._problems.add(message, location, task=self._task, key=inner)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        for key in self.value:
            if key in known:
                continue
            near = ""
            if isinstance(key, str) and not self._problems.full:
                near = did_you_mean(key, known)
            named = key if isinstance(key, str) and not flaw(key) else None
            message = f"unknown key {shown(key)}{near}"
            where = (*self._location, named) if named else self._location
            self._problems.add(message, where, task=self._task, key=named)

    def identifier(self) -> str | None:
        found = self.value.get("id")
        if found is None:
            self._problems.add("an id is required", self._location, task=self._task, key="id")
            return None
        return self._identifier(found, "id")

    def _identifier(self, found: object, key: str, *inner: int) -> str | None:
        if not isinstance(found, str):
            self.wrong(key, f"must be a string, found {shown(found)}{_quoted(found)}", *inner)
        elif not _ID.fullmatch(found):
            self.wrong(key, f"{shown(found)} is not an id; allowed: {_ID_RULE}", *inner)
        else:
            return str.__str__(found)
        return None

    def identifiers(self, key: str) -> tuple[str, ...]:
        found = self.value.get(key)
        if found is None:
            return ()
        if not isinstance(found, list):
            self.wrong(key, f"must be a list of task ids, found {shown(found)}")
            return ()
        read = (self._identifier(item, key, index) for index, item in enumerate(found))
        return tuple(item for item in read if item is not None)

    def text(self, key: str, *, blank: bool = True) -> str | None:
        found = self.value.get(key)
        if found is None:
            return None
        if not isinstance(found, str):
            self.wrong(key, f"must be a string, found {shown(found)}{_quoted(found)}")
        elif (reason := flaw(found)) is not None:
            self.wrong(key, reason)
        elif not blank and not found.strip():
            self.wrong(key, "must not be blank")
        else:
            return str.__str__(found)
        return None

    def owner(self) -> str | None:
        found = self.value.get("owner")
        if found is None:
            return None
        if not isinstance(found, str):
            self.wrong("owner", f"must be a string, found {shown(found)}{_quoted(found)}")
        elif (reason := owner_flaw(found)) is not None:
            self.wrong("owner", reason)
        else:
            return str.__str__(found)
        return None

    def tags(self) -> tuple[str, ...]:
        found = self.value.get("tags")
        if found is None:
            return ()
        if not isinstance(found, list):
            self.wrong("tags", f"must be a list of tags, found {shown(found)}")
            return ()
        if len(found) > MAX_TAGS:
            self.wrong("tags", f"a DAG has at most {MAX_TAGS} tags, found {len(found)}")
            return ()
        read: dict[str, int] = {}
        for index, tag in enumerate(found):
            if not isinstance(tag, str):
                self.wrong("tags", f"a tag must be a string, found {shown(tag)}{_quoted(tag)}", index)
            elif (reason := tag_flaw(tag)) is not None:
                self.wrong("tags", reason, index)
            elif tag in read:
                self.wrong("tags", f"{shown(tag)} is already tag {read[tag] + 1}; tags are unique", index)
            else:
                read[str.__str__(tag)] = index
        return tuple(read)

    def flag(self, key: str) -> bool:
        found = self.value.get(key)
        if found is None or isinstance(found, bool):
            return bool(found)
        self.wrong(key, f"must be true or false, found {shown(found)}")
        return False

    def milliseconds(self, key: str) -> int | None:
        found = self.value.get(key)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool):
            self.wrong(key, f"must be a whole number of milliseconds, found {shown(found)}")
        elif not 0 < found <= MAX_INT64:
            self.wrong(key, f"must be greater than 0 and within 64 bits, found {shown(found)}")
        else:
            return int(found)
        return None

    def strings(self, key: str) -> dict[str, str]:
        found = self.value.get(key)
        if found is None:
            return {}
        if not isinstance(found, dict):
            self.wrong(key, f"must be a mapping of names to values, found {shown(found)}")
            return {}
        read: dict[str, str] = {}
        for name, value in found.items():
            if not isinstance(name, str) or not name.strip():
                self.wrong(key, f"a config key must be a non-blank string, found {shown(name)}")
            elif (reason := flaw(name)) is not None:
                self.wrong(key, f"the config key {shown(name)} {reason}")
            elif not isinstance(value, str):
                self.wrong(key, f"a config value must be a string here, found {shown(value)}", name)
            elif (reason := flaw(value)) is not None:
                self.wrong(key, reason, name)
            else:
                read[str.__str__(name)] = str.__str__(value)
        return read


def _quoted(found: object) -> str:
    scalar = isinstance(found, int | float)
    return " (write it in quotes)" if scalar else ""
