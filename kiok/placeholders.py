"""Placeholders in scripts and config values: references, arguments and dates.

- `${conn.<id>.<key>}` and `${secret.<name>}` are references to connections.
- `${args.<name>}` is an argument of the run, in SQL and config values.
- `#{nowFormatted("yyyy-MM-dd")}` and the other functions of `FUNCTIONS` are dates.

A DAG keeps them as text: they get their values when a task runs, in one pass over `parse`, so that no value is searched for
placeholders again. All other text stays as it is: `${HOME}`, `${x:-y}`, `${#x}`, `#{ds}`, and everything after `$$`. A shell
or Python script can hold text of any language, so there only what can hardly be anything else is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
from typing import NamedTuple

from kiok.date_patterns import PatternError, PatternField, parse_pattern
from kiok.params import NAME as ARGUMENT_NAME
from kiok.refs import FORMS, WELL_FORMED
from kiok.spelling import did_you_mean, nearest
from kiok.text import shown

MAX_PROBLEMS = 20  # of one text

OFFSETS = ("years", "months", "days", "hours", "minutes", "weeks")
MAX_YEARS = 1_000  # that a date may be moved


class DateFunction(NamedTuple):
    """A function of dates: the sign of its offsets (0: it has none), and whether it takes a pattern."""

    sign: int
    has_pattern: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*(OFFSETS if self.sign else ()), *(('"pattern"',) if self.has_pattern else ()))


FUNCTIONS = {
    "nowInMillis": DateFunction(0, has_pattern=False),
    "nowFormatted": DateFunction(0, has_pattern=True),
    "nowPlusInMillis": DateFunction(1, has_pattern=False),
    "nowMinusInMillis": DateFunction(-1, has_pattern=False),
    "nowPlusFormatted": DateFunction(1, has_pattern=True),
    "nowMinusFormatted": DateFunction(-1, has_pattern=True),
}


class TextKind(Enum):
    """The kind of a text with placeholders."""

    SCRIPT = auto()  # shell or Python
    SQL = auto()
    CONFIG = auto()


class LiteralPart(NamedTuple):
    """Text that stays as it is."""

    text: str


class ReferencePart(NamedTuple):
    """A reference: `path` is `<id>.<key>` of a connection, or the name of a secret."""

    text: str
    is_secret: bool
    path: str


class ArgumentPart(NamedTuple):
    """The argument `name` of the run."""

    text: str
    name: str


class DatePart(NamedTuple):
    """The time of the run plus `offsets` (in the order of `OFFSETS`), as `pattern`; in milliseconds if that is None."""

    text: str
    offsets: tuple[int, ...]
    pattern: tuple[PatternField | str, ...] | None


Part = LiteralPart | ReferencePart | ArgumentPart | DatePart


class ParsedText(NamedTuple):
    """A text in parts, which together have all its characters, and its problems: at most 20. A broken part is literal."""

    parts: tuple[Part, ...]
    problems: tuple[str, ...]


class _Broken(Exception):
    """A broken placeholder: `written` as far as it was read, what is wrong, what is allowed and what was meant."""

    def __init__(self, written: str, what: str, wrong: str, allowed: str = "", meant: str = "") -> None:
        super().__init__(written)
        self.written, self.what, self.wrong, self.allowed, self.meant = written, what, wrong, allowed, meant


_REST = re.compile(r"([^{}\n]*)\}")
_UNCLOSED = re.compile(r"[^{}\s\"'`;,)]*")
# The words that name a namespace, or are taken for a misspelled one in SQL and config values.
_MISSPELLED = {
    **dict.fromkeys(("con", "conns", "conn"), "conn"),
    **dict.fromkeys(("secrets", "secret", "secert", "secrect"), "secret"),
    **dict.fromkeys(("arg", "args", "argument", "arguments", "param", "params"), "args"),
}
_NAMESPACES = "|".join(_MISSPELLED)
# Begins with a set of characters, for which the search is fast.
_BEGINNING = re.compile(
    rf"[$#]\{{(?:(?<=\$\{{)(?<!\$\$\{{)((?i:{_NAMESPACES}))([.}}])|(?<=#\{{)[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*(\(?))"
)
# In config values that are JSON, and in shell scripts, the quotes of a pattern are escaped. `)` may be part of a pattern.
_CALL = re.compile(r'((?:[^(){}"\\\n]|\\{0,7}"[^"\\{}\n]*\\{0,7}")*)\)([^{}\n]*)\}')
_PARAMETER = re.compile(r'[ \t]*(?:([+-]?[0-9]{1,9})|(\\*)"([^"\\]*)\2")[ \t]*(?:,|\Z)')
_CALL_OF_ANY = re.compile(r"[^(){}\n]*\)[ \t]*\}")


def parse(text: str, kind: TextKind, params: Collection[str] | None) -> ParsedText:
    """Return the parts of a text. `params` are the declared arguments; None: any argument of a valid name is taken."""
    if "${" not in text and "#{" not in text:
        return ParsedText((LiteralPart(text),) if text else (), ())
    parts: list[Part] = []
    problems: list[str] = []
    done = 0
    for found in _BEGINNING.finditer(text):
        if found.start() < done or len(problems) >= MAX_PROBLEMS:
            continue
        try:
            part = _date(text, found, kind) if found[3] else _variable(text, found, kind, params)
        except _Broken as broken:
            problems.append(_message(text, found.start(), broken))
            continue
        if part is not None:
            if done < found.start():
                parts.append(LiteralPart(text[done : found.start()]))
            parts.append(part)
            done = found.start() + len(part.text)
    if done < len(text):
        parts.append(LiteralPart(text[done:]))
    return ParsedText(tuple(parts), tuple(problems))


def _message(text: str, start: int, broken: _Broken) -> str:
    line = text.count("\n", 0, start) + 1
    place = f" (line {line} of the text)" if "\n" in text.rstrip("\n") else ""
    allowed = f"; allowed: {broken.allowed}" if broken.allowed else ""
    return (
        f"{shown(broken.written)}{place} is not a valid {broken.what}: {broken.wrong}{allowed}{broken.meant}"
    )


def _meant(form: str) -> str:
    return f"; did you mean {form}?" if form else ""


# References and arguments.


def _variable(text: str, found: re.Match[str], kind: TextKind, params: Collection[str] | None) -> Part | None:
    """Return the reference or argument at a `${`, or None for any other variable. Raises _Broken."""
    namespace, after = found[1], found[2]
    if namespace == "args":
        return _argument(text, found, kind, params)
    if namespace not in FORMS:
        _check_spelling(text, found, kind, params)
        return None
    if after == "}":
        if kind is TextKind.SCRIPT:
            return None  # a variable of the script
        raise _Broken(found[0], "reference", "it names nothing", FORMS[namespace])
    rest = _REST.match(text, found.end())
    if rest is None:
        raise _unclosed(text, found, namespace)
    if not WELL_FORMED[namespace].fullmatch(rest[1]):
        raise _malformed(f"{found[0]}{rest[0]}", namespace, rest[1])
    return ReferencePart(f"{found[0]}{rest[0]}", namespace == "secret", rest[1])


def _unclosed(text: str, found: re.Match[str], namespace: str) -> _Broken:
    unclosed = _UNCLOSED.match(text, found.end())
    inner = unclosed[0] if unclosed else ""
    form = f"${{{namespace}.{inner}}}" if WELL_FORMED[namespace].fullmatch(inner) else ""
    wrong = "it is not closed by '}', or contains another one"
    return _Broken(f"{found[0]}{inner}", "reference", wrong, FORMS[namespace], _meant(form))


def _malformed(written: str, namespace: str, inner: str) -> _Broken:
    if namespace == "conn":
        wrong = "an id, '.' and a key must follow 'conn.'"
        if WELL_FORMED["secret"].fullmatch(inner) and "." not in inner:
            meant = _meant(f"${{conn.{inner}.<key>}}")
            return _Broken(written, "reference", "the key of the connection is missing", FORMS["conn"], meant)
    else:
        wrong = "a name must follow 'secret.'"
    repaired = re.sub(r"[/:]", ".", re.sub(r"\s+", "", inner))
    form = f"${{{namespace}.{repaired}}}" if WELL_FORMED[namespace].fullmatch(repaired) else ""
    return _Broken(written, "reference", wrong, FORMS[namespace], _meant(form))


def _argument(
    text: str, found: re.Match[str], kind: TextKind, params: Collection[str] | None
) -> ArgumentPart | None:
    """Return an argument. In a script `${args...}` is other text, unless it names a declared argument."""
    rest = _REST.match(text, found.end()) if found[2] == "." else None
    name = rest[1] if rest else ""
    written = f"{found[0]}{rest[0]}" if rest else found[0]
    if kind is TextKind.SCRIPT:
        if params and name in params:
            variable = f"KIOK_ARG_{name.upper()}"
            wrong = f"arguments are not written into a script; read the environment variable {variable}"
            raise _Broken(written, "placeholder", wrong)
        return None
    form = "${args.<name>}"
    if found[2] == "." and rest is None:
        raise _Broken(written, "argument", "it is not closed by '}', or contains another one", form)
    if not ARGUMENT_NAME.fullmatch(name):
        if found[2] == "}" and not params:
            return None
        raise _Broken(written, "argument", "the name of a parameter must follow 'args.'", form)
    if params is not None and name not in params:
        near = did_you_mean(name, sorted(params))
        raise _Broken(written, "argument", f"the DAG declares no parameter {name!r} under 'params'{near}")
    return ArgumentPart(written, name)


def _check_spelling(text: str, found: re.Match[str], kind: TextKind, params: Collection[str] | None) -> None:
    """Report a misspelled namespace: in a config value or SQL, `${con.a.b}` is the text of no other language."""
    namespace = _MISSPELLED[found[1].lower()]
    if kind is TextKind.SCRIPT or found[2] != ".":
        return
    rest = _REST.match(text, found.end())
    if rest is None:
        return
    if rest[1] in (params or ()) if namespace == "args" else WELL_FORMED[namespace].fullmatch(rest[1]):
        meant = _meant(f"${{{namespace}.{rest[1]}}}")
        raise _Broken(f"{found[0]}{rest[0]}", "placeholder", f"{found[1]!r} is unknown", meant=meant)


# Dates.


def forms() -> str:
    """Return all calls that are allowed."""
    return ", ".join(_form(name) for name in FUNCTIONS)


def _form(name: str) -> str:
    return f"#{{{name}({', '.join(FUNCTIONS[name].parameters)})}}"


def _date(text: str, found: re.Match[str], kind: TextKind) -> DatePart | None:
    """Return the date at a `#{`, or None for any other text. Raises _Broken."""
    name, is_call = found[3], bool(found[4])
    function = FUNCTIONS.get(name)
    if function is None:
        _check_function(text, found, kind)
        return None
    call = _CALL.match(text, found.end()) if is_call else None
    if call is None:
        wrong = (
            "it is not closed by ')}', or contains another one" if is_call else "the parentheses are missing"
        )
        raise _Broken(found[0], "date", wrong, _form(name))
    written = f"{found[0]}{call[0]}"
    if call[2].strip(" \t"):
        raise _Broken(written, "date", f"{shown(call[2].strip())} follows the call", _form(name))
    numbers, pattern = _parameters(written, name, call[1])
    offsets = tuple(function.sign * number for number in numbers) or (0,) * len(OFFSETS)
    if sum(abs(number) * days for number, days in zip(offsets, _DAYS, strict=True)) > MAX_YEARS * 366:
        raise _Broken(written, "date", f"it is more than {MAX_YEARS} years away")
    if pattern is None:
        return DatePart(written, offsets, None)
    try:
        return DatePart(written, offsets, parse_pattern(pattern))
    except PatternError as error:
        raise _Broken(written, "date", str(error)) from None


_DAYS = (366, 31, 1, 1 / 24, 1 / 1440, 7)  # of each offset, at most


def _parameters(written: str, name: str, text: str) -> tuple[list[int], str | None]:
    """Return the numbers and the pattern of a call."""
    text = text.strip(" \t")
    read = list(_PARAMETER.finditer(text))
    expected = FUNCTIONS[name].parameters
    if sum(len(item[0]) for item in read) != len(text) or text.endswith(","):
        wrong = "each parameter must be a whole number or text in double quotes"
        raise _Broken(written, "date", wrong, _form(name))
    if len(read) != len(expected):
        raise _Broken(written, "date", f"it has {len(read)} parameters, not {len(expected)}", _form(name))
    for position, (item, parameter) in enumerate(zip(read, expected, strict=True), 1):
        if (item[1] is None) != (parameter == '"pattern"'):
            must = "the pattern in double quotes" if item[1] is not None else "a whole number"
            raise _Broken(written, "date", f"parameter {position} must be {must}", _form(name))
    pattern = next((item[3] for item in read if item[1] is None), None)
    return [int(item[1]) for item in read if item[1] is not None], pattern


def _check_function(text: str, found: re.Match[str], kind: TextKind) -> None:
    """Report a misspelled function, and outside of scripts any unknown one: Ruby and others write `#{f(x)}` too."""
    name = found[3]
    near = nearest(name, FUNCTIONS)
    is_certain = bool(re.match(r"now[A-Z]", name) or near) and bool(found[4])
    if is_certain or (kind is not TextKind.SCRIPT and found[4] and _CALL_OF_ANY.match(text, found.end())):
        meant = _meant(f"#{{{near}(...)}}") if near else ""
        raise _Broken(found[0], "date", f"there is no function {shown(name)}", forms(), meant)
