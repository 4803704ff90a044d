"""Properties: their sources, invalid values, and the messages about those."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.server import properties
from tests.support.property_files import problems


def test_without_anything_every_property_has_its_default() -> None:
    loaded = properties.load({})
    assert loaded.gitsync_interval_ms == 60_000
    assert loaded.gitsync_enabled is True
    assert loaded.gitsync_allow_protocols == ("https", "ssh")
    assert loaded.base_data_dir == Path.cwd() / ".kiok"
    assert loaded.repositories == ()
    assert {setting.source for setting in properties.settings_of(loaded)} == {"default"}


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(config: Path) -> None:
    config.write_text("kiok.gitsync.interval.ms=5000\nkiok.workers = 3\n")
    loaded = properties.load({"KIOK_CONFIG": str(config), "KIOK_WORKERS": "7"})
    assert (loaded.workers, loaded.gitsync_interval_ms, loaded.web_port) == (7, 5000, 8000)
    sources = {setting.name: setting.source for setting in properties.settings_of(loaded)}
    assert sources["kiok.workers"] == "environment variable KIOK_WORKERS"
    assert sources["kiok.gitsync.interval.ms"] == f"{config}:1"
    assert sources["kiok.web.port"] == "default"


def test_every_property_is_reached_by_its_full_name_and_by_its_attribute() -> None:
    loaded = properties.load({})
    for line in properties.TABLE.values():
        assert loaded.get(line.name) == getattr(loaded, line.attribute)
        assert line.description.endswith(".")
    with pytest.raises(KeyError):
        loaded.get("kiok.nothing")


def test_what_a_property_shows_gives_the_same_value_when_read_again() -> None:
    loaded = properties.load(
        {
            "KIOK_GITSYNC_REPOS": "a|https://h.example/a.git|main|x, b|ssh://git@h.example/b|tag:v1||cred",
            "KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS": "10.0.0.0/8, git.internal, ::1",
            "KIOK_LOG_LEVEL": "debug",
        }
    )
    environ = {properties.TABLE[s.name].variable: s.value for s in properties.settings_of(loaded)}
    again = properties.load(environ)
    assert [s.value for s in properties.settings_of(again)] == [
        s.value for s in properties.settings_of(loaded)
    ]
    assert again.repositories == loaded.repositories


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KIOK_GITSYNC_INTERVAL_MS", "999", "too small; allowed: a whole number of milliseconds from 1000"),
        ("KIOK_GITSYNC_INTERVAL_MS", "60s", "not a whole number"),
        ("KIOK_GITSYNC_INTERVAL_MS", "1e4", "not a whole number"),
        ("KIOK_GITSYNC_INTERVAL_MS", "", "is ''"),
        ("KIOK_GITSYNC_INTERVAL_MS", "٦٠٠٠٠", "not a whole number"),
        ("KIOK_GITSYNC_ENABLED", "yes", "allowed: true or false"),
        ("KIOK_WEB_PORT", "65536", "too large; allowed: a whole number from 1 to 65535"),
        ("KIOK_LOG_LEVEL", "LOUD", "allowed: one of DEBUG, INFO, WARNING, ERROR"),
        ("KIOK_GITSYNC_ALLOW_PROTOCOLS", "https,ext", "'ext' is unknown"),
        ("KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS", "ok.example,10.0.0.1/8", "has host bits set"),
        ("KIOK_GITSYNC_ALLOW_PRIVATE_HOSTS", "bad host", "'bad host' is not a host name"),
        ("KIOK_GITSYNC_SSL_CA_INFO", "/nowhere/ca.pem", "the file does not exist"),
        ("KIOK_SANDBOX_IMAGE_PYTHON", " ", "empty"),
        ("KIOK_SANDBOX_PODMAN_SECCOMP_PATH", "seccomp.json", "not an absolute path"),
        ("KIOK_SANDBOX_IMAGE_PYTHON", "a\nb", "control characters"),
        ("KIOK_WEB_TRUSTED_ORIGINS", "kiok.example.com", "is not an origin"),
        ("KIOK_SANDBOX_IMAGE_PYTHON", "a\ud83d", "holds the lone surrogate U+D83D"),
        ("KIOK_SANDBOX_IMAGE_PYTHON", "a\udcff", "holds the byte 0xFF"),
        ("KIOK_BASE_DATA_DIR", "/tmp/\udcff", "holds the byte 0xFF"),
        ("KIOK_GITSYNC_SSL_CA_INFO", "/tmp/\udcff.pem", "holds the byte 0xFF"),
        ("KIOK_GITSYNC_INTERVAL_MS", "\udcff", "holds the byte 0xFF"),
    ],
)
def test_a_bad_value_is_named_with_its_source_and_what_is_allowed(
    variable: str, value: str, expected: str
) -> None:
    message = problems({variable: value})
    assert message.startswith(f"environment variable {variable}: kiok.")
    assert expected in message
    assert "allowed: " in message


def invalid(environ: dict[str, str], config: Path | None = None) -> str:
    """The problems of declared repositories."""
    return "\n".join(map(str, properties.load(environ, config).invalid_repositories))


@pytest.mark.parametrize(
    ("value", "name", "message"),
    [
        ("a|b", "a", "has 2 fields separated by |; expected 4 or 5"),
        ("Bad|https://h/r|main|", "", "name 'Bad' does not match"),
        ("a|https://h/r|main|,a|https://h/s|main|", "a", "'a' is declared twice"),
        ("a|https://h/r|main||no spaces", "a", "credentialConnectionId 'no spaces'"),
        ("a||main|", "a", "the url is empty"),
        ("a|https://h/\ud83d|main|", "a", "url holds the lone surrogate U+D83D"),
        ("a|https://h/r|\udcff|", "a", "ref holds the byte 0xFF"),
        ("a|https://h/r|main|x\udcff", "a", "subpath holds the byte 0xFF"),
        ("a\udcff|https://h/r|main|", "", "does not match"),
        ("a|https://h/r|main||\udcff", "a", "credentialConnectionId '\\udcff' does not match"),
        (f"a|https://h/{'r' * 2000}|main|", "a", "url has 2010 characters; allowed: 2000 or fewer"),
        (f"a|https://h/r|{'r' * 301}|", "a", "ref has 301 characters; allowed: 300 or fewer"),
        (f"a|https://h/r|main|{'r' * 1025}", "a", "subpath has 1025 characters; allowed: 1024 or fewer"),
    ],
)
def test_an_invalid_item_of_the_property_invalidates_no_other(value: str, name: str, message: str) -> None:
    loaded = properties.load({"KIOK_GITSYNC_REPOS": f"{value}, good|https://h/good|main|"})
    (problem,) = loaded.invalid_repositories
    assert problem.name == name
    assert str(problem).startswith("environment variable KIOK_GITSYNC_REPOS: kiok.gitsync.repos: ")
    assert message in str(problem)
    assert [item.name for item in loaded.repositories] == ["good"]


def test_a_bad_value_in_the_file_is_named_with_its_line(config: Path) -> None:
    config.write_text("# comment\n\nkiok.workers=many\n")
    assert problems(config=config).startswith(f"{config}:3: kiok.workers is 'many': not a whole number")


def test_all_problems_are_told_at_once(config: Path) -> None:
    config.write_text("kiok.workers=0\nkiok.wrokers=1\n")
    found = problems({"KIOK_WEB_PORT": "x"}, config).splitlines()
    assert len(found) == 3


def test_an_unknown_property_in_the_file_suggests_the_nearest(config: Path) -> None:
    config.write_text("kiok.gitsync.intervall.ms=1000\nother.product=1\n")
    message = problems(config=config)
    assert (
        f"{config}:1: unknown property kiok.gitsync.intervall.ms; did you mean kiok.gitsync.interval.ms?"
        in message
    )
    assert "other.product" not in message


def test_an_unknown_variable_is_a_warning_that_suggests_the_nearest() -> None:
    loaded = properties.load({"KIOK_GITSYNC_INTERVALL_MS": "1", "KIOK_MASTER_KEY": "x", "KIOK_CONFIG": ""})
    (warning,) = loaded.warnings
    assert "KIOK_GITSYNC_INTERVALL_MS is unknown" in warning
    assert "did you mean KIOK_GITSYNC_INTERVAL_MS?" in warning


def test_a_variable_that_is_like_none_of_ours_gets_no_suggestion() -> None:
    assert properties.load({"KIOK_NOPE": "1"}).warnings == (
        "environment variable KIOK_NOPE is unknown and has no effect",
    )


def test_a_missing_properties_file_stops_the_start(tmp_path: Path) -> None:
    assert "cannot read the properties file: No such file" in problems(config=tmp_path / "no")


def test_one_git_command_cannot_have_more_time_than_a_sync() -> None:
    message = problems({"KIOK_GITSYNC_GIT_TIMEOUT_MS": "20000", "KIOK_GITSYNC_SYNC_TIMEOUT_MS": "10000"})
    assert (
        "kiok.gitsync.git.timeout.ms (20000) is greater than kiok.gitsync.sync.timeout.ms (10000)" in message
    )


def test_a_password_in_a_repository_url_is_refused_and_never_shown(config: Path) -> None:
    message = invalid({"KIOK_GITSYNC_REPOS": "a|https://user:hunter2@h.example/r|main|"})
    assert "put the credential in a connection" in message
    assert "hunter2" not in message
    config.write_text("kiok.gitsync.repos=a|https://user:hunter2@h.example/r|main\n")
    message = invalid({}, config)
    assert message.startswith(f"{config}:1: kiok.gitsync.repos: ")
    assert "hunter2" not in message
