"""Declared arguments of a DAG (`params`): name, type, default, choices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from kiok.fields import Fields
from kiok.problems import Problems
from kiok.spelling import did_you_mean
from kiok.text import MAX_INT64, MIN_INT64, flaw, shown

MAX_PARAMS = 100  # of one DAG
MAX_CHOICES = 100  # of one parameter
MAX_CHARACTERS = 1_000  # of a description, and of a default or choice that is text
NAME_RULE = "1 to 63 characters: lower-case letters, digits and '_', the first a letter"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
PARAM_KEYS = ("type", "default", "required", "choices", "description")

Value = str | int | float | bool

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Names of the same types in other languages and schedulers.
_FOREIGN_TYPES = {
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("bool", "flag"), "boolean"),
}
_FOREIGN_KEYS = {
    **dict.fromkeys(("enum", "values", "options", "allowed"), "choices"),
    **dict.fromkeys(("help", "doc", "title"), "description"),
    "value": "default",
    "kind": "type",
}


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A declared argument of a DAG. `default` is None if there is none; `choices` keep the authored order."""

    name: str
    type: str = "string"
    default: Value | None = None
    required: bool = False
    choices: tuple[Value, ...] = ()
    description: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the parameter in wire form: `type`, and the other keys that are set."""
        written: dict[str, Any] = {"type": self.type}
        if self.default is not None:
            written["default"] = self.default
        if self.required:
            written["required"] = True
        if self.choices:
            written["choices"] = list(self.choices)
        if self.description is not None:
            written["description"] = self.description
        return written


def read_params(dag: Fields, problems: Problems) -> tuple[ParamSpec, ...]:
    """Return the valid parameters of an untrusted DAG, sorted by name, and report the problems of the others."""
    found = dag.value.get("params")
    if found is None:
        return ()
    if not isinstance(found, dict):
        dag.wrong("params", f"must be a mapping of names to parameters, found {shown(found)}")
        return ()
    if len(found) > MAX_PARAMS:
        dag.wrong("params", f"a DAG has at most {MAX_PARAMS} parameters, found {len(found)}")
        return ()
    read = (_read(dag, name, value, problems) for name, value in found.items())
    return tuple(sorted((param for param in read if param is not None), key=lambda param: param.name))


def _read(dag: Fields, name: object, value: object, problems: Problems) -> ParamSpec | None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        named = (name,) if isinstance(name, str) and not flaw(name) else ()
        dag.wrong("params", f"{shown(name)} is not the name of a parameter; allowed: {NAME_RULE}", *named)
        return None
    name = str.__str__(name)
    if not isinstance(value, dict):
        example = "{type: string, default: eu}"
        dag.wrong("params", f"a parameter must be a mapping such as {example}, found {shown(value)}", name)
        return None
    reader = Fields(value, ("params", name), problems, name=f"params.{name}")
    reader.refuse_unknown(PARAM_KEYS, _FOREIGN_KEYS)
    type_ = reader.text("type")
    if type_ is not None and type_ not in _CHECKS:
        meant = _FOREIGN_TYPES.get(type_.lower())
        near = f"; did you mean {meant!r}?" if meant else did_you_mean(type_, _CHECKS)
        reader.wrong("type", f"{shown(type_)} is not a type; allowed: {', '.join(_CHECKS)}{near}")
    type_ = "string" if type_ is None else type_
    required = reader.flag("required")
    description = reader.text("description", blank=False)
    if description is not None and len(description) > MAX_CHARACTERS:
        size = len(description)
        reader.wrong("description", f"has {size} characters; at most {MAX_CHARACTERS} are allowed")
    default, choices = (None, ()) if reader.bad("type") else _values(reader, type_)
    if required and value.get("default") is not None:
        reader.wrong("required", "a required parameter has no default; remove 'required' or 'default'")
    return ParamSpec(name, type_, default, required, choices, description)


def _values(reader: Fields, type_: str) -> tuple[Value | None, tuple[Value, ...]]:
    """Return the default and the choices, which must have the type."""
    given = reader.value.get("default")
    default = None if given is None else _typed(reader, type_, given, "default")
    choices = _choices(reader, type_)
    if choices and default is not None and not reader.bad("choices") and default not in choices:
        reader.wrong("default", f"the default {shown(default)} is not one of the choices")
    return default, choices


def _choices(reader: Fields, type_: str) -> tuple[Value, ...]:
    found = reader.value.get("choices")
    if found is None:
        return ()
    if type_ == "boolean":
        reader.wrong("choices", "a boolean has no choices: it is true or false; remove them")
    elif not isinstance(found, list):
        reader.wrong("choices", f"must be a list, found {shown(found)}")
    elif not 1 <= len(found) <= MAX_CHOICES:
        reader.wrong("choices", f"a parameter has 1 to {MAX_CHOICES} choices, found {len(found)}")
    else:
        read: dict[Value, int] = {}
        for index, item in enumerate(found):
            value = _typed(reader, type_, item, "choices", index)
            if value is None:
                continue
            if value in read:
                place = read[value] + 1
                reader.wrong(
                    "choices", f"{shown(value)} is already choice {place}; choices are unique", index
                )
            else:
                read[value] = index
        return tuple(read)
    return ()


def _typed(reader: Fields, type_: str, value: object, key: str, *inner: int) -> Value | None:
    """Return a value of the type in its one form, or None after reporting a problem."""
    result = _CHECKS[type_](value)
    if isinstance(result, _Wrong):
        what = "a choice" if inner else "the default"
        reader.wrong(key, f"{what} must be {result.allowed}, found {shown(value)}", *inner)
        return None
    return result


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A value that does not have the type of its parameter, with the values that have it."""

    allowed: str


def _string(value: object) -> Value | _Wrong:
    if not isinstance(value, str):
        return _Wrong("text (write it in quotes)" if isinstance(value, int | float) else "text")
    if flaw(value) or len(value) > MAX_CHARACTERS:
        return _Wrong(f"text of at most {MAX_CHARACTERS} characters that can be stored")
    return str.__str__(value)


def _integer(value: object) -> Value | _Wrong:
    if isinstance(value, int) and not isinstance(value, bool) and MIN_INT64 <= value <= MAX_INT64:
        return int(value)
    return _Wrong("a whole number within 64 bits")


def _number(value: object) -> Value | _Wrong:
    if isinstance(value, float) and math.isfinite(value):
        # 1.0 and 1 are the same number: one form, so that the database cannot change the spec by storing it.
        value = int(value) if value.is_integer() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _Wrong("a finite number")
    return _Wrong("a number within 64 bits") if isinstance(_integer(value), _Wrong) else int(value)  # type: ignore[call-overload]


def _boolean(value: object) -> Value | _Wrong:
    return value if isinstance(value, bool) else _Wrong("true or false")


def _date(value: object) -> Value | _Wrong:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            return _Wrong("a date of the calendar, such as '2026-03-31'")
        return str.__str__(value)
    return _Wrong("a date such as '2026-03-31'")


_CHECKS: dict[str, Callable[[object], Value | _Wrong]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
PARAM_TYPES = tuple(_CHECKS)
