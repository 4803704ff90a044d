"""The incidents of the operator's guide use the words of the service."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from kiok.connections.errors import ConnectionReason
from tests.support.documents import CODE, INCIDENTS, ROOT, words_of


@dataclass(frozen=True)
class Incident:
    """A symptom in the guide to incidents, and its fields by name: Meaning, Action, Fixed."""

    symptom: str
    fields: dict[str, str]

    @classmethod
    def of(cls, symptom: str, text: str) -> Incident:
        fields = re.findall(r"^- \*\*(\w+)\*\*.*?: (.+?)(?=\n\n|\n- |\n?\Z)", text, re.MULTILINE | re.DOTALL)
        return cls(symptom, {name: " ".join(value.split()) for name, value in fields})


def incidents() -> list[Incident]:
    """The symptoms in the guide, with their meaning, the action and what is printed when they are fixed."""
    parts = re.split(r"^(#{2,}) (.+)$", words_of(INCIDENTS), flags=re.MULTILINE)[1:]
    return [
        Incident.of(title, text)
        for level, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        if level == "###"
    ]


def test_every_incident_has_an_action() -> None:
    for incident in incidents():
        assert "Action" in incident.fields, incident.symptom
        assert incident.fields.keys() <= {"Meaning", "Action", "Fixed"}, incident.symptom


def test_what_is_said_when_an_incident_is_over_is_what_the_service_says() -> None:
    output = " ".join(
        words_of(path)
        for folder in ("kiok", "gitsync", "compilers", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".html", ".sh")
    )
    assert len(incidents()) > 50
    assert sum("Fixed" in incident.fields for incident in incidents()) > 30
    for incident in incidents():
        fixed = incident.fields.get("Fixed", "")
        for text in (*CODE.findall(fixed), *re.findall(r'"([^"]+)"', fixed)):
            assert text in output, text


def test_every_reason_that_an_incident_has_is_one() -> None:
    known = {reason.value for enum in (GitReason, SyncReason, ConnectionReason) for reason in enum}
    for incident in incidents():
        for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", incident.symptom):
            assert name in known, name
