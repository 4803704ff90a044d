"""Likely causes of errors of the YAML parser, derived from the text of the lines."""

from __future__ import annotations

import re

from kiok.cron import MACROS
from kiok.yaml_fault import Explained, Fault, Mark, in_blanks, in_quotes, indentation, quoted

_FOREIGN = (
    (
        re.compile(r"<{7}(?: |$)|>{7}(?: |$)"),
        "the line is a merge conflict marker; resolve the conflict and remove the markers",
    ),
    (
        re.compile(r"diff --git |@@ -[0-9]"),
        "the line is part of a diff (a patch); commit the file with the diff applied",
    ),
    (
        re.compile(r"<!doctype html|<html", re.IGNORECASE),
        "the line is part of an HTML page; commit the file itself, not a page that shows it or an error page",
    ),
)
_TEMPLATE = re.compile(r"\{\{|\{%|<%")
_ENTRY = re.compile(
    r"(?:-[ \t]+)*(?P<key>[^\s#'\"{\[][^:]*?|\"[^\"]*\"|'[^']*')[ \t]*:(?:[ \t]+(?P<value>.*))?$"
)


def foreign_text(fault: Fault) -> Explained | None:
    """Find text that was put into a file by accident: merge conflict markers, a diff, a page of a web server."""
    for pattern, message in _FOREIGN:
        for number, line in enumerate(fault.lines, 1):
            if pattern.match(line):
                return Explained(message, Mark(number, 1))
    return None


def tab(fault: Fault) -> Explained | None:
    """Explain a tab in the indentation, or between a key and its value."""
    if fault.at is None:
        return None
    if fault.context.startswith("while scanning a quoted scalar"):
        return None
    indent = fault.here[: indentation(fault.here)]
    if "\t" in indent and fault.at.column <= len(indent) + 1:
        message = "the line is indented with a tab; indent with spaces"
        return Explained(message, Mark(fault.at.line, indent.index("\t") + 1))
    if fault.character == "\t" and "cannot start any token" in fault.problem:
        return Explained("a tab is not allowed here; write a space instead", fault.at)
    return None


def template(fault: Fault) -> Explained | None:
    """Explain template text, such as Helm's or Jinja's, in the line with the error or the line above."""
    if fault.at is None:
        return None
    for number in (fault.at.line, fault.at.line - 1):
        if found := _TEMPLATE.search(fault.line(number)):
            message = (
                f"{found[0]!r} of a template is not YAML: commit the rendered text, or write "
                'the value in quotes if the task needs the template itself: "{{ ... }}"'
            )
            return Explained(message, Mark(number, found.start() + 1))
    return None


def colon_in_value(fault: Fault) -> Explained:
    """Explain `mapping values are not allowed`: a second colon, or a missing or misplaced colon in the line above."""
    at = fault.at or Mark(1, 1)
    above = fault.above(at.line)
    before = fault.here[: at.column - 1]
    is_own_entry = ": " not in before and _ENTRY.match(before.strip() + ":") is not None
    if before.lstrip().startswith("--- "):
        message = "a key cannot follow '---' in the same line; begin a new line after '---'"
        return Explained(message, Mark(at.line, fault.here.index("---") + 5))
    if is_own_entry and above:
        text = fault.line(above).strip()
        is_deeper = indentation(fault.here) > indentation(fault.line(above))
        if is_deeper and (over := _ENTRY.match(text)) and over["value"]:
            message = (
                f"the line is indented deeper than the line above, whose key {_key_of(over)} already has a value; "
                f"indent it with {in_blanks(indentation(fault.line(above)))}, like the line above"
            )
            return Explained(message, Mark(at.line, indentation(fault.here) + 1))
        if not text.endswith(":") and ": " not in text:
            message = f"':' is missing after {quoted(text)}"
            if not text.lstrip("- ").isidentifier():
                message = (
                    f"the line {quoted(text)} has no ': '; lines between keys have the form 'key: value'"
                )
            return Explained(message, Mark(above, indentation(fault.line(above)) + 1))
    message = (
        "a value without quotes cannot hold ': '; write it in quotes, or as a block of text "
        "(`script: |`, and the text in the next lines, indented)"
    )
    return Explained(message, at)


def no_colon(fault: Fault) -> Explained:
    """Explain `could not find expected ':'`: a line between keys that is not of the form `key: value`."""
    start = fault.start or fault.at
    if start is None:
        return Explained("a line is not of the form 'key: value'", None)
    text = fault.line(start.line)[start.column - 1 :].strip()
    if text[:1] in ("'", '"'):
        return unclosed_quote(fault)
    return Explained(
        f"the line {quoted(text)} has no ':'; lines between keys have the form 'key: value' "
        "(further lines of a value are indented deeper than its key)",
        start,
    )


def unclosed_quote(fault: Fault) -> Explained:
    """Explain an unclosed quote, at the line where it opens rather than at the end of the file."""
    start = fault.start or fault.at
    quote = fault.line(start.line)[start.column - 1 : start.column] if start else ""
    return Explained(f"the quote ({quote or 'mark'}) that opens here is not closed", start)


def bad_start(fault: Fault) -> Explained:
    """Explain `cannot start any token`: a value that begins with a character that YAML reserves."""
    if fault.at is None or not fault.character:
        return Explained(
            "a value begins with a character that is not allowed there; write it in quotes", fault.at
        )
    value = fault.here[fault.at.column - 1 :].strip()
    message = f"a value cannot begin with {fault.character!r}; write it in quotes: {in_quotes(value)}"
    if value in MACROS:
        message = (
            f"a value cannot begin with '@', and a schedule has five fields: \"{MACROS[value]}\" is {value}"
        )
    return Explained(message, fault.at)


def alias_or_anchor(fault: Fault) -> Explained:
    """Explain a value that begins with `*` or `&`, such as the schedule `*/5 * * * *`."""
    place = fault.start or fault.at
    if place is None:
        return Explained("'*' and '&' begin an alias and an anchor; write the value in quotes", None)
    value = fault.line(place.line)[place.column - 1 :].strip()
    sign, what = ("&", "an anchor") if value.startswith("&") else ("*", "an alias")
    return Explained(f"{sign!r} begins {what}; write the value in quotes: {in_quotes(value)}", place)


def list_item(fault: Fault) -> Explained:
    """Explain `did not find expected '-' indicator`: a line with the indentation of a list's dashes but no dash."""
    if opened := _quote_opened(fault):
        return opened
    at = fault.at or fault.start
    since = f" that begins in line {fault.start.line}" if fault.start else ""
    found = quoted(fault.here.strip())
    message = (
        f"expected an item ('- ') of the list{since}, found {found}; indent the line like the keys of the item "
        "that it belongs to, or like the key of the list"
    )
    return Explained(message, at)


def key(fault: Fault) -> Explained:
    """Explain `did not find expected key`: text after a value, a list item between keys, or another indentation."""
    if opened := _quote_opened(fault):
        return opened
    at = fault.at or fault.start
    if at is None:
        return Explained("expected a key", None)
    before = fault.here[: at.column - 1].rstrip()
    if before.strip(" -"):
        closing = before[-1:]
        what = f"the value that ends with {closing!r}" if closing in "'\"]}" else "the value"
        rest = quoted(fault.here[at.column - 1 :].strip())
        message = f"{rest} follows {what}; write the whole value in quotes, or remove what follows it"
        if closing == "'":
            message += " (a ' inside '...' is written twice: 'it''s')"
        return Explained(message, at)
    since = f" of the mapping that begins in line {fault.start.line}" if fault.start else ""
    if fault.character == "-":
        message = (
            f"found a list item ('- ') where a key{since} is expected; indent it deeper than the key of the list, "
            "whose line must end with ':'"
        )
        return Explained(message, at)
    wanted = f" ({in_blanks(fault.start.column - 1)})" if fault.start else ""
    message = (
        f"the line is indented with {in_blanks(at.column - 1)}, unlike the keys{since}{wanted} and unlike the lines "
        "above; give the keys of one mapping the same indentation"
    )
    return Explained(message, at)


def new_document(fault: Fault) -> Explained:
    """Explain `did not find expected <document start>`: lines indented less than the first, or text after a value."""
    at = fault.at or fault.start
    if at is None:
        return Explained("the document ends before this text; a new document begins with '---'", None)
    first = next(
        (
            number
            for number, line in enumerate(fault.lines, 1)
            if line.strip() and line.lstrip()[0] not in "#%"
        ),
        at.line,
    )
    if first < at.line and indentation(fault.line(first)) > at.column - 1 and "---" not in fault.here:
        message = (
            f"the line is indented with {in_blanks(indentation(fault.line(first)))} and line {at.line} with "
            f"{in_blanks(at.column - 1)}; give the keys of one mapping the same indentation"
        )
        return Explained(message, Mark(first, 1))
    if any(line.startswith("%") for line in fault.lines[: at.line]):
        return Explained("a line '---' is needed between the directives ('%') and the document", at)
    found = quoted(fault.here.strip())
    message = f"the document ends before {found}; check the brackets and the indentation, or begin a new document with '---'"
    return Explained(message, at)


def unclosed_bracket(fault: Fault) -> Explained:
    """Explain `did not find expected ',' or '}'`: an unclosed bracket, or entries without a comma."""
    start, at = fault.start or fault.at, fault.at or fault.start
    if start is None or at is None:
        return Explained("a bracket is not closed, or ',' is missing", None)
    opening = fault.line(start.line)[start.column - 1 : start.column] or "{"
    closing = {"{": "}", "[": "]"}.get(opening, opening)
    if fault.is_at_end:
        return Explained(f"the {opening!r} that opens here is not closed by {closing!r}", start)
    if at.line != start.line or at.column > len(fault.here.rstrip()):
        message = f"the {opening!r} that opens here is not closed by {closing!r}, or ',' is missing before line {at.line}"
        return Explained(message, start)
    rest = quoted(fault.here[at.column - 1 :].strip())
    message = f"expected ',' or {closing!r} before {rest}; write a value that contains ': ', ',' or a bracket in quotes"
    return Explained(message, at)


def no_value(fault: Fault) -> Explained:
    """Explain `did not find expected node content`: a comma or bracket where a value is expected."""
    if fault.is_at_end and fault.bracket:
        return unclosed_bracket(fault._replace(start=fault.bracket))
    found = repr(fault.character) if fault.character else "the end of the line"
    message = f"expected a value, found {found}; write a value that begins with it in quotes, or remove it"
    return Explained(message, fault.at or fault.start)


def _key_of(entry: re.Match[str]) -> str:
    return quoted(entry["key"].strip("'\""))


def _quote_opened(fault: Fault) -> Explained | None:
    """Explain an error right after a multi-line quoted text: its quote was probably meant to be closed earlier."""
    if fault.quote_opened is None or fault.at is None:
        return None
    line = fault.line(fault.quote_opened)
    column = max(line.find('"'), line.find("'")) + 1
    message = f"the quote that opens in this line closes only in line {fault.at.line}; close it where the value ends"
    return Explained(message, Mark(fault.quote_opened, max(column, 1)))
