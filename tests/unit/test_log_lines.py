"""Log lines: one per event, as text or JSON, without secrets and without forged lines."""

from __future__ import annotations

import ast
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from kiok import correlation
from kiok.connections import redaction
from kiok.server.logging import OURS, LineFormatter, configuration
from kiok.server.logging.masking import MAX_CHARACTERS
from kiok.server.logging.web_server import Logger

ROOT = Path(__file__).resolve().parents[2]
SECRET = "correct-horse-battery"
HOSTILE = (
    "two\nlines",
    "2026-01-02T03:04:05.678Z INFO gitsync [x]: forged\r\n2026-01-02T03:04:05.678Z ERROR root: forged",
    '"}\n{"event": "forged", "level": "ERROR"}',
    "\x1b[2J\x1b[31mred\x07\x08\x7f\x85\x9b",
    "line\u2028and paragraph\u2029and\x0b\x0c\x1c\x1d\x1e",
    "gnp.\u202eexe \u2066 \u200f",
    "half a character \udcff\ud83d",
    "\x00",
)
BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
both = pytest.mark.parametrize("rendering", ["console", "json"])


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    redaction.register([SECRET])
    yield
    redaction.forget()


def record(
    message: object, *arguments: object, error: BaseException | None = None, **extra: Any
) -> logging.LogRecord:
    caught = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("gitsync.sync", logging.ERROR, "f", 1, message, arguments, caught)
    made.created, made.msecs = 0.25, 250.0
    vars(made).update(extra)
    return made


def written(rendering: str, *arguments: Any, **options: Any) -> str:
    return LineFormatter(rendering).format(record(*arguments, **options))


def event(*arguments: Any, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written("json", *arguments, **options))
    return found


def raised() -> ValueError:
    """Return an error with a cause; both contain the secret, in two forms."""
    refused = OSError(f"https://ada:{SECRET}@git.example.com/x refused\nforged line")

    def fail() -> None:
        raise ValueError(f"no \x1b[0m {SECRET.encode().hex()}") from refused

    with pytest.raises(ValueError, match="no ") as caught:
        fail()
    return caught.value


def test_text_line_is_time_level_logger_and_message() -> None:
    assert (
        written("console", "synced %s", "team") == "1970-01-01T00:00:00.250Z ERROR gitsync.sync: synced team"
    )


def test_json_line_is_one_object_with_the_same_fields() -> None:
    found = event("synced %s", "team")
    assert list(found)[:4] == ["timestamp", "level", "logger", "event"]
    assert list(found.values())[:4] == ["1970-01-01T00:00:00.250Z", "ERROR", "gitsync.sync", "synced team"]
    assert set(found) == {"timestamp", "level", "logger", "event", "pid", "thread"}


def test_bound_values_are_on_the_lines_inside_the_block_only() -> None:
    with correlation.bound("an-id", repository="team"):
        assert written("console", "x") == "1970-01-01T00:00:00.250Z ERROR gitsync.sync [an-id]: x"
        assert (event("x")["correlation_id"], event("x")["repository"]) == ("an-id", "team")
    assert not {"correlation_id", "repository"} & set(event("x"))


def test_djangos_line_about_a_response_has_the_correlation_id() -> None:
    request = SimpleNamespace(correlation_id="an-id")
    found = event("Not Found: %s", "/x", request=request, status_code=404)
    assert (found["correlation_id"], found["status_code"]) == ("an-id", 404)
    assert "request" not in found


@both
@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_are_escaped(rendering: str, text: str) -> None:
    for line in (
        written(rendering, text),
        written(rendering, "%s", text),
        written(rendering, "x", error=ValueError(text)),
        written(rendering, "x", note=text, nested={text: [text, {"a": (text,)}]}),
    ):
        assert line.isprintable()
        line.encode("utf-8")
        if rendering == "json":
            found = json.loads(line)
            assert found["level"] == "ERROR"
            decoded = [value for name, value in found.items() if name != "exception"]
            assert not any(break_ in str(decoded) for break_ in BREAKS)


@given(st.text(st.characters(codec=None), max_size=40))
@settings(max_examples=60, deadline=None, database=None)
def test_any_text_is_one_printable_line(text: str) -> None:
    assert len(written("console", text).splitlines()) == 1
    line = written("json", text, note=text)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["level"] == "ERROR"


@both
def test_no_part_of_an_event_contains_a_secret(rendering: str) -> None:
    class Speaks:
        def __str__(self) -> str:
            return f"it is {SECRET}"

    line = written(
        rendering,
        "login with %s",
        SECRET,
        error=raised(),
        stack_info=f"Stack (most recent call last):\n  password={SECRET}",
        note=SECRET,
        number=7,
        nested={SECRET: [SECRET, {"url": f"https://ada:{SECRET}@example.com"}, Speaks()]},
        deep=[[[[[[[SECRET]]]]]]],
        key="-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----",
    )
    assert SECRET not in line
    assert SECRET.encode().hex() not in line
    assert "BEGIN" not in line
    assert "login with [redacted]" in line


def test_text_is_redacted_before_it_is_cut() -> None:
    found = event("x" * (MAX_CHARACTERS - 5) + SECRET + "y" * 100)["event"]
    assert "corre" not in found
    assert "characters left out" in found
    assert len(found) < MAX_CHARACTERS + 100


@pytest.mark.parametrize("message", ["%s and %s", "%d", "%"])
def test_record_with_wrong_arguments_is_written_without_them(
    message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The logging module would print them unredacted, on lines of their own."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    handler.handle(record(message, f"token {SECRET}"))
    output = capsys.readouterr().err
    assert SECRET not in output
    assert output.count("\n") == 1
    assert f"ERROR gitsync.sync: {message} (its arguments do not match: " in output


def test_traceback_is_in_the_line_with_its_cause() -> None:
    text = written("console", "it failed", error=raised())
    assert "it failed | OSError: https://[redacted]@git.example.com/x refused | forged line" in text
    found = event("it failed", error=raised())
    assert found["event"] == "it failed"
    assert "\nTraceback (most recent call last):\n" in found["exception"]
    assert found["exception"].endswith("ValueError: no \\x1b[0m [redacted]")


def test_extra_values_keep_their_type_and_replace_no_field() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    found = event(
        "x",
        count=3,
        share=0.5,
        endless=float("inf"),
        ok=True,
        none=None,
        names=("a", "b"),
        broken=Broken(),
        level="INFO",
        pid="forged",
    )
    assert (found["count"], found["share"], found["ok"], found["none"]) == (3, 0.5, True, None)
    assert (found["names"], found["endless"], found["broken"]) == (["a", "b"], "inf", "<Broken>")
    assert (found["level"], found["pid"]) == ("ERROR", record("x").process)


def test_web_server_process_writes_the_same_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIOK_LOG_FORMAT", "json")
    logger = Logger(Config())
    before = logger.error_log.handlers[:]
    try:
        logger.setup(Config())
        logger.error("Worker (pid:%s) was sent SIGKILL! %s", 7, SECRET)
    finally:
        for handler in set(logger.error_log.handlers) - set(before):
            logger.error_log.removeHandler(handler)
    found = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (found["logger"], found["event"]) == (
        "gunicorn.error",
        "Worker (pid:7) was sent SIGKILL! [redacted]",
    )


def test_process_that_logs_nothing_does_not_import_structlog() -> None:
    script = (
        "import logging, logging.config, sys\n"
        "from kiok.server.logging import configuration\n"
        "logging.config.dictConfig(configuration('INFO', 'json'))\n"
        "logging.getLogger('gitsync.a').debug('not this one')\n"
        "assert 'structlog' not in sys.modules\n"
        "logging.getLogger('gitsync.a').info('this')\n"
        "assert 'structlog' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr)["event"] == "this"


LIBRARIES = ("django-q", "rust_sugiyama", "fast_sugiyama", "urllib3", "docker", "django.request", "a_library")


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"], ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"], ["WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"], ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"], ["ERROR"]),
    ],
)
def test_libraries_log_from_warning_and_kiok_from_its_level(
    level: str, ours: list[str], theirs: list[str]
) -> None:
    script = (
        "import logging, logging.config\n"
        "from kiok.server.logging import OURS, configuration\n"
        f"logging.config.dictConfig(configuration({level!r}, 'json'))\n"
        f"for name in (*(f'{{name}}.module' for name in OURS), *{LIBRARIES!r}):\n"
        "    for level in ('DEBUG', 'INFO', 'WARNING', 'ERROR'):\n"
        "        logging.getLogger(name).log(getattr(logging, level), 'x')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in map(json.loads, done.stderr.splitlines()):
        found.setdefault(line["logger"], []).append(line["level"])
    assert found == {
        **{f"{name}.module": ours for name in OURS},
        **dict.fromkeys(LIBRARIES, theirs),
    }


# Arguments of log calls that would be a number where a reader looks for a name.
_NUMBERS = re.compile(r"\b(pk|id|\w+_id|\w+\.pk|\w+\.\w+_id)\b")


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    for package in OURS:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr
                    in ("debug", "info", "warning", "error", "exception", "critical", "log")
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "_log", "logger")
                ):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_lines_do_not_name_rows_by_primary_key() -> None:
    calls = list(_log_calls())
    assert len(calls) > 50
    wrong = [
        (place, ast.unparse(argument))
        for place, call in calls
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        if not isinstance(argument, ast.Constant)
        and not isinstance(argument, ast.Call)  # of a function that gives the name
        and _NUMBERS.search(ast.unparse(argument))
    ]
    assert wrong == []


def test_warnings_and_uncaught_errors_are_in_the_log() -> None:
    script = (
        "import logging.config, threading, warnings\n"
        "from kiok.connections import redaction\n"
        "from kiok.server.logging import configuration, log_warnings_and_exceptions\n"
        "logging.config.dictConfig(configuration('INFO', 'json'))\n"
        "log_warnings_and_exceptions()\n"
        f"redaction.register([{SECRET!r}])\n"
        f"warnings.warn('with {SECRET}')\n"
        "def fail():\n"
        f"    raise ValueError('a\\nb {SECRET}')\n"
        "thread = threading.Thread(target=fail, name='one')\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert SECRET not in done.stderr
    warned, ended = [json.loads(line) for line in done.stderr.splitlines()]
    assert (warned["level"], warned["logger"]) == ("WARNING", "py.warnings")
    assert ended["event"] == "the thread one ended with an exception"
    assert ended["exception"].endswith("b [redacted]")


def test_every_logger_uses_the_formatter() -> None:
    described = configuration("INFO", "json")
    assert set(described["handlers"]) == {"stderr"}
    assert described["formatters"]["line"]["rendering"] == "json"
