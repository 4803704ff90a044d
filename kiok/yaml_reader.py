"""A reader of possibly hostile YAML text, which returns documents of plain values with their places.

Limits apply to the parser's events, before anything is built from them, and aliases are counted in their
expanded size. PyYAML's constructors and resolvers are not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from kiok.config_values import encode
from kiok.text import shown
from kiok.yaml_fault import Fault, Mark, lines_of
from kiok.yaml_messages import explain
from kiok.yaml_schema import ALLOWED_TAGS, COLLECTION_TAGS, TAG_PREFIX, ScalarError, resolve, tag_name

# The C parser gives the same events and marks, about twenty times faster; not every platform has it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """Limits of a YAML file.

    `max_nodes` and `max_text` (characters) count expanded aliases, over the whole file;
    `max_depth` counts nested lists and mappings.
    """

    max_bytes: int = 1024 * 1024
    max_depth: int = 50
    max_nodes: int = 200_000
    max_aliases: int = 1_000
    max_text: int = 4 * 1024 * 1024
    max_documents: int = 1_000


class YamlError(Exception):
    """The text is not valid YAML, or exceeds the limits."""

    def __init__(self, message: str, mark: Mark | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


@dataclass(slots=True, eq=False)
class YamlNode:
    """A value with its place. `value` is plain Python (str, int, float, bool, None, list, dict with string keys).

    `items` has the nodes of a list; `entries` those of a mapping, by key, with the place of the key. Further
    entries with the same key are reported and omitted.
    """

    mark: Mark
    value: Any = None
    items: list[YamlNode] = field(default_factory=list)
    entries: dict[str, tuple[Mark, YamlNode]] = field(default_factory=dict)
    nodes: int = 1
    text: int = 0
    height: int = 0


@dataclass(slots=True)
class Document:
    """A document: its root (None if it is empty), and its errors of form."""

    root: YamlNode | None = None
    errors: list[tuple[Mark, str]] = field(default_factory=list)


def documents(text: str, limits: YamlLimits) -> Iterator[Document]:
    """Read `text` document by document. Raises YamlError at the first event that shows an error."""
    reader = _Reader(limits)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            finished = reader.take(event)
            if finished is not None:
                yield finished
    except yaml.MarkedYAMLError as exc:
        message, place = explain(_fault(exc, text))
        raise YamlError(f"not valid YAML: {message}", place) from exc
    except (yaml.YAMLError, ValueError, OverflowError) as exc:
        # In the pure Python parser, chr() and int() fail on some escapes and directives, without a place.
        message, _ = explain(Fault("", str(exc).splitlines()[0], None, None, lines_of(text)))
        raise YamlError(f"not valid YAML: {message}") from exc


def _fault(error: Any, text: str) -> Fault:
    start, at = _place(error.context_mark), _place(error.problem_mark)
    quote, bracket = _opened_before(at, text) if at is not None else (None, None)
    return Fault(error.context or "", error.problem or "", start, at, lines_of(text), quote, bracket)


def _place(mark: Any) -> Mark | None:
    return None if mark is None else Mark(mark.line + 1, mark.column + 1)


def _opened_before(at: Mark, text: str) -> tuple[int | None, Mark | None]:
    """Return the line where a multi-line quoted text opens that ends in the line of `at`, and the open bracket."""
    quote, brackets = None, []
    try:
        for token in yaml.scan(text, Loader=_LOADER):
            start, end = Mark(token.start_mark.line + 1, token.start_mark.column + 1), _place(token.end_mark)
            if end is None or end > at:
                break
            if (
                isinstance(token, yaml.ScalarToken)
                and token.style in ("'", '"')
                and start.line < end.line == at.line
            ):
                quote = start.line
            elif isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                brackets.append(start)
            elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken) and brackets:
                brackets.pop()
    except (yaml.YAMLError, ValueError, OverflowError):
        pass  # the scanner found the same error
    return quote, brackets[-1] if brackets else None


_COLLECTION_ENDS = frozenset({yaml.SequenceEndEvent, yaml.MappingEndEvent})


class _Open(NamedTuple):
    """A list or mapping that has not ended yet; for a mapping, `children` alternates keys and values."""

    node: YamlNode
    mapping: bool
    children: list[tuple[YamlNode, bool]]
    anchor: str | None


class _Reader:
    """Builder of documents from events, with an explicit stack instead of recursion."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._nodes = self._text = self._aliases = self._documents = 0
        self._document = Document()
        self._anchors: dict[str, YamlNode | None] = {}
        self._open: list[_Open] = []

    def take(self, event: Any) -> Document | None:
        """Process the next event; return the document if the event ends one."""
        kind = type(event)
        if kind in _COLLECTION_ENDS:
            self._end()
            return None
        start = event.start_mark
        mark = Mark(start.line + 1, start.column + 1)
        if kind is yaml.ScalarEvent:
            # For a scalar without quotes, the C parser gives '' and the Python parser None.
            self._add(self._scalar(event, mark), event.anchor, plain=not event.style)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._alias(event, mark), None, plain=False)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event, mark)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            self._check(self._documents, self._limits.max_documents, "documents", mark)
            self._document, self._anchors = Document(), {}
        elif isinstance(event, yaml.DocumentEndEvent):
            return self._document
        return None

    def _wrong(self, mark: Mark, message: str) -> None:
        self._document.errors.append((mark, message))

    def _check(self, count: int, limit: int, what: str, mark: Mark) -> None:
        if count > limit:
            raise YamlError(f"the file has more than {limit} {what}", mark)

    def _scalar(self, event: Any, mark: Mark) -> YamlNode:
        text = event.value
        length = len(text)
        self._count(1, length, mark)
        try:
            value = resolve(text, plain=not event.style, tag=event.tag)
        except ScalarError as error:
            self._wrong(mark, str(error))
            value = text
        return YamlNode(mark, value, text=length)

    def _alias(self, event: Any, mark: Mark) -> YamlNode:
        anchor: str = event.anchor
        self._aliases += 1
        self._check(self._aliases, self._limits.max_aliases, "aliases", mark)
        if anchor not in self._anchors:
            raise YamlError(f"the alias '*{anchor[:80]}' refers to no anchor before it", mark)
        target = self._anchors[anchor]
        if target is None:
            raise YamlError(f"the alias '*{anchor[:80]}' is inside the value that it refers to", mark)
        self._count(target.nodes, target.text, mark)
        self._check(len(self._open) + target.height, self._limits.max_depth, "levels of nesting", mark)
        return YamlNode(
            mark, target.value, target.items, target.entries, target.nodes, target.text, target.height
        )

    def _count(self, nodes: int, text: int, mark: Mark) -> None:
        self._nodes += nodes
        self._text += text
        if self._nodes > self._limits.max_nodes or self._text > self._limits.max_text:
            self._check(self._nodes, self._limits.max_nodes, "values (aliases expanded)", mark)
            self._check(self._text, self._limits.max_text, "characters (aliases expanded)", mark)

    def _start(self, event: Any, mark: Mark) -> None:
        self._count(1, 0, mark)
        self._check(len(self._open) + 1, self._limits.max_depth, "levels of nesting", mark)
        mapping = isinstance(event, yaml.MappingStartEvent)
        tag = event.tag
        wanted = TAG_PREFIX + ("map" if mapping else "seq")
        if tag is not None and tag not in ("!", wanted):
            what = COLLECTION_TAGS["map" if mapping else "seq"]
            self._wrong(mark, f"the tag {tag_name(tag)!r} is not allowed on a {what}; {ALLOWED_TAGS}")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(_Open(YamlNode(mark, {} if mapping else []), mapping, [], event.anchor))

    def _end(self) -> None:
        node, mapping, children, anchor = self._open.pop()
        if mapping:
            pairs = zip(children[::2], children[1::2], strict=True)
            for (key, plain), (value, _plain) in pairs:
                self._entry(node, key, plain, value)
            node.value = {key: value.value for key, (_mark, value) in node.entries.items()}
        else:
            node.items = [child for child, _plain in children]
            node.value = [child.value for child in node.items]
        nodes, text, height = 1, 0, 0
        for child, _plain in children:
            nodes += child.nodes
            text += child.text
            if child.height > height:
                height = child.height
        node.nodes, node.text, node.height = nodes, text, height + 1
        self._add(node, anchor, plain=False)

    def _entry(self, node: YamlNode, key: YamlNode, plain: bool, value: YamlNode) -> None:
        if plain and key.value == "<<":
            self._wrong(
                key.mark,
                "merge keys ('<<') are not part of YAML 1.2; write the entries out, or alias whole values",
            )
            return
        if isinstance(key.value, list | dict):
            template = '; write a template in quotes: "{{ ... }}"' if isinstance(key.value, dict) else ""
            self._wrong(key.mark, f"a key must be text, found {shown(key.value)}{template}")
            return
        # As in JSON, so that `1:` and `"1":` are the same key.
        name = encode(key.value)
        if name in node.entries:
            first = node.entries[name][0]
            again = f"the key {shown(name)} is duplicated in this mapping, first in line {first.line}"
            self._wrong(key.mark, again)
            return
        node.entries[name] = (key.mark, value)

    def _add(self, node: YamlNode, anchor: str | None, *, plain: bool) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].children.append((node, plain))
        else:
            self._document.root = node
