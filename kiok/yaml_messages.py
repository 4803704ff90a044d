"""Messages for errors of the YAML parser that state the likely cause, at the line to change.

libyaml and PyYAML's own parser word most errors differently, and both describe the expected grammar rather than the
author's mistake. `RULES` covers every message of both; other messages keep the parser's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kiok import yaml_causes as causes
from kiok.yaml_fault import Explained, Fault

Rule = Callable[[Fault], Explained]


def explain(fault: Fault) -> Explained:
    """Return the message for an error, with the place of its likely cause."""
    for cause in (causes.foreign_text, causes.tab, causes.template):
        if found := cause(fault):
            return found
    for pattern, rule in RULES:
        if pattern.match(fault.problem):
            return rule(fault)
    problem = ", ".join(part for part in (fault.context, fault.problem) if part)
    return Explained(problem, fault.at or fault.start)


def _said(message: str, *, at_start: bool = False) -> Rule:
    """Return a rule with a fixed message, at the place where parsing stopped or where the construct begins."""
    return lambda fault: Explained(
        message, (fault.start or fault.at) if at_start else (fault.at or fault.start)
    )


_TAG = _said("'!' begins a tag, and this one is not well formed; write the value in quotes", at_start=True)
_DIRECTIVE = _said(
    "a line that begins with '%' is a YAML directive, and this one is not valid; remove it, or indent it if it is text",
    at_start=True,
)
_ESCAPE = _said(
    "a backslash between double quotes begins an escape, and this one is not valid; write \\\\ for a backslash, or use "
    "single quotes"
)
_BLOCK_HEADER = _said("only a comment may follow '|' or '>' in its line; begin the text in the next line")

# The messages of libyaml and PyYAML's parser, matched from their beginning, in the order that they are tried.
_ANY_RULES: Sequence[tuple[str, Rule]] = (
    (r"mapping values are not allowed", causes.colon_in_value),
    (r"could not find expected ':'", causes.no_colon),
    (r"found unexpected end of stream", causes.unclosed_quote),
    (r"found unexpected document (indicator|separator)", causes.unclosed_quote),
    (r"found character .*that cannot start any token", causes.bad_start),
    (
        r"(did not find expected|expected) alphabetic or numeric character",
        lambda fault: _DIRECTIVE(fault) if "directive" in fault.context else causes.alias_or_anchor(fault),
    ),
    (r"did not find expected '-' indicator", causes.list_item),
    (
        r"expected <block end>",
        lambda fault: causes.list_item(fault) if "collection" in fault.context else causes.key(fault),
    ),
    (r"did not find expected key", causes.key),
    (r"did not find expected <document start>|expected '<document start>'", causes.new_document),
    (r"(did not find expected|expected) ',' or '[\]}]'", causes.unclosed_bracket),
    (r"did not find expected node content|expected the node content", causes.no_value),
    (
        r"(block )?sequence entries are not allowed",
        _said("a list item ('- ') cannot follow a key in its line; begin the list in the next line"),
    ),
    (r"mapping keys are not allowed", _said("a value cannot begin with '? '; write it in quotes")),
    (r"found unexpected ':'", _said("a space is missing after ':', or the text needs quotes")),
    (
        r"found a tab character that violates indentation",
        _said("the line is indented with a tab; indent with spaces"),
    ),
    (
        r"found a tab character where an indentation space is expected",
        _said("the text after '|' or '>' is indented with a tab; indent it with spaces"),
    ),
    (
        r"found an indentation indicator equal to 0|expected indentation indicator",
        _said("the number after '|' or '>' is the indentation of its text, from 1 to 9"),
    ),
    (r"expected chomping or indentation indicators", _BLOCK_HEADER),
    (
        r"(did not find expected|expected a) comment or (a )?line break",
        lambda fault: _DIRECTIVE(fault) if "directive" in fault.context else _BLOCK_HEADER(fault),
    ),
    (r"found unknown escape character", _ESCAPE),
    (r"did not find expected hexdecimal number|expected escape sequence", _ESCAPE),
    (r"found invalid Unicode character escape code|chr\(\) arg not in range", _ESCAPE),
    (r"(did not find expected|could not find expected) directive name", _DIRECTIVE),
    (r"found unknown directive name|found unexpected non-alphabetical character", _DIRECTIVE),
    (r"found duplicate %?YAML directive", _said("the file sets its YAML version twice; remove one")),
    (
        r"found incompatible YAML document",
        _said("the file is in another version of YAML; remove its %YAML line"),
    ),
    (r"found extremely long version number", _DIRECTIVE),
    (r"did not find expected version number|did not find expected digit or '.' character", _DIRECTIVE),
    (r"expected a digit", _DIRECTIVE),
    (
        r"found duplicate %TAG directive|duplicate tag handle",
        _said("the tag prefix is defined twice; remove one"),
    ),
    (
        r"did not find expected whitespace|(did not find )?(the )?expected '[ >!]'|expected ' '",
        lambda fault: _DIRECTIVE(fault) if "directive" in fault.context.lower() else _TAG(fault),
    ),
    (
        r"did not find expected tag URI|expected URI",
        lambda fault: _DIRECTIVE(fault) if "directive" in fault.context.lower() else _TAG(fault),
    ),
    (r"did not find URI escaped octet|found an incorrect (leading|trailing) UTF-8 octet", _TAG),
    (r"'utf-8' codec can't decode", _TAG),
    (r"found undefined tag handle", _TAG),
    (r"did not find expected '!'", _DIRECTIVE),
)
RULES = tuple((re.compile(pattern), rule) for pattern, rule in _ANY_RULES)
