"""Templates of notifications: allowed placeholders, and values that are only text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.monitoring.doctor.runner import NAMES
from kiok.notifications.reported_file import ReportedFile
from kiok.notifications.template import (
    MAX_CHARACTERS,
    PLACEHOLDERS,
    READY,
    Style,
    TemplateInvalid,
    check_template,
    render,
)

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
EMPTY = dict.fromkeys(PLACEHOLDERS, "")
LINK = "https://git.example.org/a"
HOSTILE = '"}],"evil":true,{{id}} <!channel> @here [click](https://evil.example) \\u0000'


def texts(value: object) -> list[str]:
    """Return every text in a JSON value, including keys."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts(item))]
    return []


def shape(value: object) -> object:
    """Return a JSON value without its texts."""
    if isinstance(value, str):
        return ""
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("style", Style)
def test_built_in_templates_are_valid_with_title_and_message(style: Style) -> None:
    check_template(json.dumps(READY[style]))
    body = render(style, "", EMPTY | {"title": "T1", "message": "M1", "summary": "M1"}).decode()
    assert "T1" in body
    assert "M1" in body


@pytest.mark.parametrize("style", Style)
@given(value=(st.text(max_size=200) | st.just(HOSTILE)).filter(str.strip))
def test_values_do_not_change_the_structure(style: Style, value: str) -> None:
    bodies = [
        json.loads(render(style, "", dict.fromkeys(PLACEHOLDERS, text), [ReportedFile(text, 1, text, text)]))
        for text in ("x", value)
    ]
    assert shape(bodies[0]) == shape(bodies[1])


@pytest.mark.parametrize("style", Style)
def test_built_in_templates_name_the_owner_if_there_is_one(style: Style) -> None:
    assert "O1" in render(style, "", EMPTY | {"owner": "O1"}).decode()
    if style != Style.JSON:
        assert "wner" not in render(style, "", EMPTY).decode()


def test_built_in_json_has_every_value_unchanged_and_the_files_as_a_list() -> None:
    files = [ReportedFile("a.yaml", 3, HOSTILE, LINK), ReportedFile("b.py", None, "x")]
    body = json.loads(render(Style.JSON, "", dict.fromkeys(PLACEHOLDERS, HOSTILE), files))
    assert body == dict.fromkeys(PLACEHOLDERS, HOSTILE) | {
        "failed_files": [
            {"path": "a.yaml", "line": 3, "message": HOSTILE, "link": LINK},
            {"path": "b.py", "line": None, "message": "x", "link": ""},
        ]
    }
    assert json.loads(render(Style.JSON, "", EMPTY)) == EMPTY | {"failed_files": []}


def test_values_contain_no_mentions_and_no_links() -> None:
    values = dict.fromkeys(PLACEHOLDERS, HOSTILE) | {"link": LINK, "commit_link": LINK}
    files = [ReportedFile(HOSTILE, 3, HOSTILE, LINK)]
    slack = " ".join(texts(json.loads(render(Style.SLACK, "", values, files))))
    own = f"<{LINK}|"
    assert slack.count(own) == 3
    assert "<" not in slack.replace(own, "")
    assert "&lt;!channel&gt;" in slack
    for style in (Style.TEAMS, Style.MATTERMOST):
        told = " ".join(texts(json.loads(render(style, "", values, files))))
        assert not re.search(r"@\w", told), style
        assert "](" not in told, style


@pytest.mark.parametrize("style", [Style.SLACK, Style.TEAMS, Style.MATTERMOST])
def test_built_in_templates_have_no_empty_part(style: Style) -> None:
    """Slack refuses a message with an empty text."""
    body = json.loads(render(style, "", EMPTY | {"title": "T1", "time": "now"}))
    shown = texts(body)
    assert all(text.strip() for text in shown)
    assert "\n\n" not in body.get("text", "")
    assert not [text for text in shown if "Open" in text or "Commit" in text or "``" in text or "<" in text]
    assert "actions" not in str(body)
    assert all(block != {} for block in body.get("blocks", []))


@pytest.mark.parametrize("style", [Style.SLACK, Style.TEAMS])
def test_built_in_templates_show_each_failed_file_with_its_link(style: Style) -> None:
    files = [ReportedFile("a.yaml", 3, "wrong", LINK), ReportedFile("b.py", None, "broken")]
    values = EMPTY | {"title": "T1", "files": "all of them", "more_files": "and 2 more"}
    shown = texts(json.loads(render(style, "", values, files)))
    assert "a.yaml:3: wrong" in shown
    assert "b.py: broken" in shown
    assert "and 2 more" in shown
    assert "all of them" not in shown
    assert len([text for text in shown if LINK in text]) == 1


def test_custom_template_has_the_files_as_text() -> None:
    own = '{"text": "{files} {more_files}"}'
    files = [ReportedFile("a.yaml", 3, "wrong", LINK)]
    body = json.loads(render(Style.SLACK, own, EMPTY | {"files": "a.yaml:3: wrong"}, files))
    assert body == {"text": "a.yaml:3: wrong "}


def test_custom_template_keeps_text_that_is_not_a_placeholder() -> None:
    own = '{"n": 5, "list": ["{state}", null, {"deep": "{{literal}} {repository}/{reason}"}], "ok": true}'
    assert json.loads(render(Style.JSON, own, VALUES)) == {
        "n": 5,
        "list": ["<state>", None, {"deep": "{literal} <repository>/<reason>"}],
        "ok": True,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "{titel}"}', r"Unknown placeholder \{titel\}. Allowed: \{id\}, \{event\}, .*\{time\}"),
        ('{"text": "{title.__class__}"}', r"Unknown placeholder \{title.__class__\}"),
        ('{"text": "{title!r:>10}"}', "Unknown placeholder"),
        ('{"text": "{}"}', "Unknown placeholder {}"),
        ('{"a": ["fine", {"b": "open { brace"}]}', "'{' in 'open { brace'. Double it"),
        ('{"text": {title}}', "not valid JSON: line 1, column 11"),
        ('{"text":\n "a"', "not valid JSON: line 2, column 5"),
        ('["{title}"]', "not a JSON object"),
        ('"{title}"', "not a JSON object"),
        ("[" * 100_00, "nested too deeply|no JSON"),
        ('{"a":' * 51 + "1" + "}" * 51, "nested too deeply: at most 50"),
        ('{"a":' + "[" * 600 + "]" * 600 + "}", "nested too deeply: at most 50"),
        ('{"text": "' + "x" * MAX_CHARACTERS + '"}', f"at most {MAX_CHARACTERS}"),
    ],
)
def test_unusable_template_is_refused_with_place_and_allowed_names(text: str, message: str) -> None:
    with pytest.raises(TemplateInvalid, match=message):
        check_template(text)


def test_guide_has_every_placeholder_and_every_check_of_the_doctor() -> None:
    guide = Path(__file__).parents[2] / "docs" / "operate"
    notifications = (guide / "notifications.md").read_text(encoding="utf-8")
    for name, meaning in PLACEHOLDERS.items():
        assert f"| `{name}` | {meaning} |\n" in notifications
    doctor = (guide / "troubleshooting" / "doctor.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in doctor.splitlines() if line.startswith("| `")]
    assert re.findall(r"`([a-z-]+)`", " ".join(rows)) == list(NAMES)
