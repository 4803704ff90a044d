"""Templates of notifications: allowed placeholders, and values that are only text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.monitoring.doctor.runner import NAMES
from kiok.notifications.template import (
    MAX_CHARACTERS,
    PLACEHOLDERS,
    READY,
    READY_WITH_OWNER,
    Style,
    TemplateInvalid,
    check_template,
    render,
)

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
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
    body = render(style, "", dict.fromkeys(PLACEHOLDERS, "") | {"title": "T1", "message": "M1"}).decode()
    assert "T1" in body
    assert "M1" in body


@pytest.mark.parametrize("style", Style)
@given(value=st.text(max_size=200) | st.just(HOSTILE))
def test_values_do_not_change_the_structure(style: Style, value: str) -> None:
    body = json.loads(render(style, "", dict.fromkeys(PLACEHOLDERS, value)))
    assert shape(body) == shape(READY[style])


@pytest.mark.parametrize("style", Style)
def test_built_in_templates_name_the_owner_if_there_is_one(style: Style) -> None:
    values = dict.fromkeys(PLACEHOLDERS, "")
    assert "O1" in render(style, "", values | {"owner": "O1"}).decode()
    check_template(json.dumps(READY_WITH_OWNER[style]))
    if style != Style.JSON:
        assert "wner" not in render(style, "", values).decode()


def test_built_in_json_has_every_value_unchanged() -> None:
    assert json.loads(render(Style.JSON, "", dict.fromkeys(PLACEHOLDERS, HOSTILE))) == dict.fromkeys(
        PLACEHOLDERS, HOSTILE
    )


def test_values_contain_no_mentions_and_no_links() -> None:
    values = dict.fromkeys(PLACEHOLDERS, HOSTILE)
    slack = " ".join(texts(json.loads(render(Style.SLACK, "", values))))
    assert "<" not in slack
    assert "&lt;!channel&gt;" in slack
    for style in (Style.TEAMS, Style.MATTERMOST):
        told = " ".join(texts(json.loads(render(style, "", values))))
        assert not re.search(r"@\w", told), style
        assert "](" not in told, style


def test_custom_template_keeps_text_that_is_not_a_placeholder() -> None:
    own = '{"n": 5, "list": ["{state}", null, {"deep": "{{literal}} {repository}/{reason}"}], "ok": true}'
    assert json.loads(render(Style.JSON, own, VALUES)) == {
        "n": 5,
        "list": ["<state>", None, {"deep": "{literal} <repository>/<reason>"}],
        "ok": True,
    }


@pytest.mark.parametrize(
    ("text", "says"),
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
def test_unusable_template_is_refused_with_place_and_allowed_names(text: str, says: str) -> None:
    with pytest.raises(TemplateInvalid, match=says):
        check_template(text)


def test_guide_has_every_placeholder_and_every_check_of_the_doctor() -> None:
    guide = Path(__file__).parents[2] / "docs" / "operate"
    notifications = (guide / "notifications.md").read_text(encoding="utf-8")
    for name, meaning in PLACEHOLDERS.items():
        assert f"| `{name}` | {meaning} |\n" in notifications
    doctor = (guide / "troubleshooting" / "doctor.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in doctor.splitlines() if line.startswith("| `")]
    assert re.findall(r"`([a-z-]+)`", " ".join(rows)) == list(NAMES)
