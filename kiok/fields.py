"""Reading of the fields of an untrusted mapping (a DAG or a task in wire form), each by its own rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kiok.labels import MAX_TAGS, owner_flaw, tag_flaw
from kiok.problems import Location, Problems
from kiok.spelling import did_you_mean
from kiok.text import MAX_INT64, flaw, shown

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,249}")
_ID_RULE = "1 to 250 characters: letters, digits, '.', '_' or '-', the first a letter or digit"
_LOWEST = {0: "0 or more", 1: "greater than 0"}


class Fields:
    """Reader of the fields of a mapping, which reports problems; an invalid field gets its default value."""

    def __init__(
        self,
        value: dict[Any, Any],
        location: Location,
        problems: Problems,
        task: str | None = None,
        name: str | None = None,
    ) -> None:
        """Read `value`, at `location` of a DAG. `name`: the key that all its problems have, instead of their own."""
        self.value = value
        self._location = location
        self._problems = problems
        self._task = task
        self._name = name
        self._bad: set[str] = set()

    def bad(self, key: str) -> bool:
        return key in self._bad

    def wrong(self, key: str, message: str, *inner: str | int) -> None:
        """Report a problem with the value of `key`, or with its entry `inner`."""
        self._bad.add(key)
        named = inner[0] if inner and isinstance(inner[0], str) else key
        self._problems.add(message, (*self._location, key, *inner), task=self._task, key=self._name or named)

    def missing(self, key: str, inner: str, message: str) -> None:
        """Report that the entry `inner` of `key` is missing, at the location of the nearest existing value."""
        location = (*self._location, key) if self.value.get(key) else self._location
        self._problems.add(message, location, task=self._task, key=inner)

    def refuse_unknown(self, known: Iterable[str], foreign: Mapping[str, str] | None = None) -> None:
        """Report unknown keys. `foreign`: names that other schedulers have for the known ones."""
        for key in self.value:
            if key in known:
                continue
            near = ""
            if isinstance(key, str) and not self._problems.full:
                meant = (foreign or {}).get(key.lower())
                near = f"; did you mean {meant!r}?" if meant else did_you_mean(key, known)
            named = key if isinstance(key, str) and not flaw(key) else None
            message = f"unknown key {shown(key)}{near}"
            where = (*self._location, named) if named else self._location
            self._problems.add(message, where, task=self._task, key=self._name or named)

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

    def word(self, key: str, allowed: Sequence[str]) -> str | None:
        """Return one of the allowed words."""
        found = self.text(key)
        if found is None or found in allowed:
            return found
        choice = " or ".join(map(repr, allowed))
        self.wrong(key, f"must be {choice}, found {shown(found)}{did_you_mean(found, allowed)}")
        return None

    def checked(self, key: str, flaw_of: Callable[[str], str | None]) -> str | None:
        """Return a text in which `flaw_of` finds no flaw."""
        found = self.text(key)
        if found is not None and (reason := flaw_of(found)) is not None:
            self.wrong(key, reason)
            return None
        return found

    def whole_number(self, key: str, low: int, high: int) -> int | None:
        found = self.value.get(key)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            self.wrong(key, f"must be a whole number from {low} to {high}, found {shown(found)}")
            return None
        return int(found)

    def milliseconds(self, key: str, low: int = 1, high: int = MAX_INT64) -> int | None:
        found = self.value.get(key)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool):
            self.wrong(key, f"must be a whole number of milliseconds, found {shown(found)}")
        elif found < low or (found > high == MAX_INT64):
            self.wrong(key, f"must be {_LOWEST[low]} and within 64 bits, found {shown(found)}")
        elif found > high:
            self.wrong(key, f"must be at most {high} milliseconds, found {shown(found)}")
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
