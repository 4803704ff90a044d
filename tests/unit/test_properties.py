"""Properties: where they come from, what is refused, and what the messages say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.properties.declared import DeclaredRepository
from kiok.server import database_url, keys, properties, properties_file
from kiok.server.entry import take_config
from kiok.server.errors import ConfigurationError, PropertyError

ROOT = Path(__file__).parents[2]


def problems(environ: dict[str, str] | None = None, config: Path | None = None) -> str:
    with pytest.raises(PropertyError) as caught:
        properties.load(environ or {}, config)
    return str(caught.value)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "kiok.properties"


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
    ("variable", "value", "says"),
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
    variable: str, value: str, says: str
) -> None:
    message = problems({variable: value})
    assert message.startswith(f"environment variable {variable}: kiok.")
    assert says in message
    assert "allowed: " in message


def invalid(environ: dict[str, str], config: Path | None = None) -> str:
    """The problems of declared repositories."""
    return "\n".join(map(str, properties.load(environ, config).invalid_repositories))


@pytest.mark.parametrize(
    ("value", "name", "says"),
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
def test_an_invalid_item_of_the_property_invalidates_no_other(value: str, name: str, says: str) -> None:
    loaded = properties.load({"KIOK_GITSYNC_REPOS": f"{value}, good|https://h/good|main|"})
    (problem,) = loaded.invalid_repositories
    assert problem.name == name
    assert str(problem).startswith("environment variable KIOK_GITSYNC_REPOS: kiok.gitsync.repos: ")
    assert says in str(problem)
    assert [item.name for item in loaded.repositories] == ["good"]


def test_a_bad_value_in_the_file_is_named_with_its_line(config: Path) -> None:
    config.write_text("# comment\n\nkiok.workers=many\n")
    assert problems(config=config).startswith(f"{config}:3: kiok.workers is 'many': not a whole number")


def test_all_problems_are_told_at_once(config: Path) -> None:
    config.write_text("kiok.workers=0\nkiok.wrokers=1\n")
    found = problems({"KIOK_WEB_PORT": "x"}, config).splitlines()
    assert len(found) == 3


def test_an_unknown_property_in_the_file_is_an_error_that_suggests_the_nearest(config: Path) -> None:
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


# The properties file's syntax.


def test_java_properties_syntax_is_read_as_java_does(config: Path) -> None:
    config.write_text(
        "# comment\n! comment\n  a = 1 \nb:2\nc 3\nd\\=e = x\\ty\\u0041\n"
        "f = one,\\\n    two\ng = back\\\\\nempty =\nh = # no comment\n"
    )
    values = {key: entry.value for key, entry in properties_file.read(config).items()}
    assert values == {
        "a": "1 ",
        "b": "2",
        "c": "3",
        "d=e": "x\tyA",
        "f": "one,two",
        "g": "back\\",
        "empty": "",
        "h": "# no comment",
    }


def test_a_key_given_twice_is_an_error_with_both_lines(config: Path) -> None:
    config.write_text("kiok.workers=1\n\nkiok.workers=2\n")
    assert problems(config=config) == f"{config}:3: kiok.workers is already set in line 1; keep one"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1), st.text(max_size=30))
def test_any_escaped_key_and_value_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str
) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text)

    file = tmp_path_factory.mktemp("p") / "x.properties"
    try:
        file.write_text(f"{escaped(key)}={escaped(value)}\n", encoding="utf-8")
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form
        return
    assert {k: e.value for k, e in properties_file.read(file).items()} == {key: value}


# Repositories declared in YAML.


def declared_file(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "repos.yaml"
    file.write_text(text)
    return {"KIOK_GITSYNC_REPOS_FILE": str(file)}


def test_repositories_of_the_yaml_file_join_those_of_the_property(tmp_path: Path) -> None:
    environ = declared_file(
        tmp_path,
        "- {name: one, url: https://h.example/one.git}\n"
        "- name: two\n  url: git@h.example:two.git\n  branch: dev\n  subpath: dags\n"
        "  credentialConnectionId: cred\n  enabled: false\n  intervalMs: 5000\n",
    )
    loaded = properties.load({**environ, "KIOK_GITSYNC_REPOS": "zero|https://h.example/zero|tag:v1|sub|c"})
    assert loaded.repositories == (
        DeclaredRepository("zero", "https://h.example/zero", "tag:v1", "sub", "c"),
        DeclaredRepository("one", "https://h.example/one.git"),
        DeclaredRepository("two", "git@h.example:two.git", "dev", "dags", "cred", 5000, enabled=False),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- name: a\n  uri: x", ":2: unknown key 'uri'; did you mean 'url'?"),
        ("- name: a\n", ":1: key 'url' is missing"),
        ("- name: a\n  url: u\n  url: v", ":3: duplicate key 'url'"),
        ("- name: a\n  url: u\n  ref: 1.0", ":3: key 'ref' is 1.0 (float); expected text (quote it)"),
        ("- name: a\n  url: u\n  enabled: 'no'", ":3: key 'enabled' is 'no' (str); expected true or false"),
        ("- name: a\n  url: u\n  intervalMs: true", ":3: key 'intervalMs' is True (bool)"),
        ("- name: a\n  url: u\n  intervalMs: 10", "intervalMs is 10; allowed: 1000 to"),
        ("- name: a\n  url: u\n  ref: x\n  branch: y", "both 'ref' and 'branch'"),
        ("- name: a\n  url: [u]", ":2: key 'url' is a list; expected a single value"),
        ("- name: a\n  url:", ":2: key 'url' is empty"),
        ("- just text", ":1: found a single value; expected a mapping"),
        (
            "- name: a\n  url: u\n- name: a\n  url: v",
            ":3: repository 'a' is already declared in line 1; keep one",
        ),
        ('- name: a\n  url: u\n  ref: "\\ud83d"', ":3: key 'ref' holds the lone surrogate U+D83D"),
        ('- name: a\n  url: u\n  branch: "\\ud83d"', ":3: key 'branch' holds the lone surrogate U+D83D"),
        ('- name: a\n  url: "\\0"', ":2: key 'url' holds a NUL character"),
        ('- name: a\n  url: u\n  subpath: "\\udcff"', ":3: key 'subpath' holds the byte 0xFF (or \\udcff)"),
        ('- name: a\n  url: u\n  include: ["*.py", "\\ude80"]', ":3: key 'include' holds the lone surrogate"),
        ('- name: a\n  url: u\n  include: "\\x00"', ":3: key 'include' holds a NUL"),
        ('- name: a\n  url: u\n  verifyConnectionId: "\\0"', ":3: key 'verifyConnectionId' holds a NUL"),
        ('- name: a\n  url: u\n  imageJava: "\\ud800"', ":3: key 'imageJava' holds the lone surrogate"),
        ('- name: a\n  url: u\n  "\\ud800": x', ":3: unknown key '\\ud800'"),
        ("- name: a\n  url: u\n  intervalMs: 9999999999999", "allowed: 1000 to 2147483647"),
        (f"- name: a\n  url: u\n  ref: {'r' * 301}", "ref has 301 characters; allowed: 300 or fewer"),
        ("- name: a\n  url: u\n  intervalMs: !!int x", "cannot be read"),
        ("- name: a\n  url: u\n  intervalMs: !!int ''", "cannot be read"),
        ("- name: a\n  url: u\n  enabled: !!bool x", "cannot be read"),
        ("- name: a\n  url: u\n  ref: !!timestamp x", "cannot be read"),
        ("- name: a\n  url: u\n  ref: 2001-13-45", "cannot be read"),
        ("- name: a\n  url: !!python/object/apply:os.system [x]", "expected a single value"),
        ("- name: a\n  url: !!python/name:os.system x", "cannot be read"),
        ("- name: a\n  url: https://u:hunter2@h/r", "put the credential in a connection"),
        ("- name: a\n  url: u\n  verify: maybe", "verify is 'maybe'; allowed: off, commit, tag"),
        ("- name: a\n  url: u\n  verify: on", ":3: key 'verify' is True (bool); expected text"),
        ("- name: a\n  url: u\n  verify: commit", "verifyConnectionId is missing: set it to the connection"),
        (
            "- name: a\n  url: u\n  verify: tag\n  verifyConnectionId: k",
            "the ref 'main' is not a tag; use tag:",
        ),
        ("- name: a\n  url: u\n  verifyConnectionId: 'a b'", "verifyConnectionId 'a b' does not match"),
        (
            "- name: a\n  url: u\n  allowEmpty: 'no'",
            ":3: key 'allowEmpty' is 'no' (str); expected true or false",
        ),
        ("- name: a\n  url: u\n  allowempty: no", ":3: unknown key 'allowempty'; did you mean 'allowEmpty'?"),
        ("- name: a\n  url: u\n  include: 3", ":3: key 'include' is 3 (int); expected text"),
        ("- name: a\n  url: u\n  include: [a, 3]", ":3: key 'include' is a list; expected a single value"),
        ("- name: a\n  url: u\n  include: {a: b}", ":3: key 'include' is a mapping"),
        ("- name: a\n  url: u\n  subpath: [a]", ":3: key 'subpath' is a list; expected a single value"),
    ],
)
def test_a_departure_in_the_yaml_file_is_located(tmp_path: Path, text: str, says: str) -> None:
    environ = declared_file(tmp_path, f"{text}\n- name: good\n  url: https://h/good\n")
    loaded = properties.load(environ)
    message = "\n".join(map(str, loaded.invalid_repositories))
    assert message.startswith(environ["KIOK_GITSYNC_REPOS_FILE"] + ":")
    assert says in message
    assert "hunter2" not in message
    named = {item.name for item in loaded.invalid_repositories}
    assert named == ({"a"} if "name: a" in text else {""})
    assert [item.name for item in loaded.repositories] == ["good"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a: b", ":1: found a mapping; expected a list"),
        (b"- name: a\n url: [", ":2: not YAML: "),
        (b"- name: a\n  url: \xff", ":2: not UTF-8 text: byte 0xFF at offset 17"),
        (b"- name: a\n  url: \xed\xa0\xbd", ":2: not UTF-8 text: byte 0xED"),
        (b"- name: a\n  url: u\x00", ":2: not YAML: it contains the character U+0000"),
        (b"- name: a\n  url: u\x1b", ":2: not YAML: it contains the character U+001B"),
        (b'- name: "\\Uffffffff"', ": not YAML: "),
        (b"[" * 5000, ": not YAML: nested too deeply"),
        (b"[" * 5000 + b"]" * 5000, ": not YAML: nested too deeply"),
        (b"- a\n--- b\n", ": not YAML: "),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_an_error(tmp_path: Path, text: bytes, says: str) -> None:
    file = tmp_path / "repos.yaml"
    file.write_bytes(text)
    message = problems({"KIOK_GITSYNC_REPOS_FILE": str(file)})
    assert message.startswith(f"{file}:")
    assert says in message
    assert "\n" not in message


_FRAGMENTS = st.sampled_from(
    [
        *("- ", "name: ", "url: ", "ref: ", "include: ", "a", "\n", "  ", "[", "]", "{", "}", '"', "\\ud83d"),
        *("\\0", "!!int ", "!!bool ", "!!binary ", "!!set ", "!!timestamp ", "&a ", "*a", "<<: ", "? ", ": "),
        *("|\n", "2001-01-01", "1_0", ".inf", "~", "\ufeff"),
    ]
)


@given(st.lists(_FRAGMENTS, max_size=25).map("".join).map(str.encode) | st.binary(max_size=60))
def test_no_file_makes_reading_raise_anything_but_its_own_error(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text)
    try:
        loaded = properties.load({"KIOK_GITSYNC_REPOS_FILE": str(file)})
    except PropertyError:
        return
    for item in loaded.repositories:
        for text_or_none in (item.name, item.url, item.ref, item.subpath, item.include):
            (text_or_none or "").encode()
            assert "\0" not in (text_or_none or "")


def test_a_surrogate_pair_is_one_character(tmp_path: Path, config: Path) -> None:
    pair = r"\ud83d\ude80"
    keys_of_text = "\n".join(f'  {key}: "x{pair}"' for key in ("ref", "subpath", "include"))
    loaded = properties.load(
        declared_file(tmp_path, f'- name: a\n  url: "https://h/{pair}"\n{keys_of_text}\n')
    )
    assert loaded.invalid_repositories == ()
    (found,) = loaded.repositories
    assert (found.url, found.ref, found.subpath, found.include) == ("https://h/🚀", "x🚀", "x🚀", "x🚀")
    config.write_text(f"kiok.gitsync.repos=a|https://h/{pair}|{pair}|{pair}\n")
    (found,) = properties.load({}, config).repositories
    assert (found.url, found.ref, found.subpath) == ("https://h/🚀", "🚀", "🚀")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"\nkiok.web.host=\\u0000", ":2: kiok.web.host is '\\x00': it holds a NUL character"),
        (b"\nkiok.web.host=\\ud83d", ":2: kiok.web.host is '\\ud83d': it holds the lone surrogate U+D83D"),
        (b"\nkiok.web.host=\x00", ":2: kiok.web.host is '\\x00': it holds a NUL character"),
        (b"\nkiok.web.host=\xff", ":2: it is not UTF-8 text: byte 0xFF at offset 15"),
        (b"\nkiok.web\\ud83d=1", ":2: unknown property kiok.web"),
    ],
)
def test_text_of_the_properties_file_that_cannot_be_stored_is_located(
    config: Path, text: bytes, says: str
) -> None:
    config.write_bytes(text)
    message = problems(config=config)
    assert message.startswith(f"{config}{says}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "include"),
    [
        ("include: ['*.py', shared/]", "*.py\nshared/"),
        ("include: |\n    *.py\n    shared/", "*.py\nshared/\n"),
        ("include: '*.py'", "*.py"),
        ("include: ''", ""),
        ("include: []", ""),
        ("include:", None),
        ("enabled: true", None),
    ],
)
def test_what_is_included_is_text_or_a_list(tmp_path: Path, text: str, include: str | None) -> None:
    environ = declared_file(tmp_path, f"- name: a\n  url: u\n  {text}\n")
    assert properties.load(environ).repositories[0].include == include


@pytest.mark.parametrize(
    ("text", "verify"),
    [("verify: off", "off"), ("verify: 'off'", "off"), ("verify:", "off"), ("verify: commit", "commit")],
)
def test_whose_signature_is_needed_is_declared(tmp_path: Path, text: str, verify: str) -> None:
    environ = declared_file(tmp_path, f"- name: a\n  url: u\n  {text}\n  verifyConnectionId: keys\n")
    (declared,) = properties.load(environ).repositories
    assert (declared.verify, declared.verify_connection_id) == (verify, "keys")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("allowEmpty: false", False),
        ("allowEmpty: true", True),
        ("allowEmpty:", True),
        ("enabled: true", True),
    ],
)
def test_a_declared_repository_may_be_emptied_unless_it_says_otherwise(
    tmp_path: Path, text: str, allowed: bool
) -> None:
    environ = declared_file(tmp_path, f"- name: a\n  url: u\n  {text}\n")
    assert properties.load(environ).repositories[0].allow_empty is allowed


@pytest.mark.parametrize("ref", ["tag:v1", "refs/tags/v1", "semver:>=1"])
def test_a_tags_signature_can_be_required_of_a_tag(tmp_path: Path, ref: str) -> None:
    text = f"- name: a\n  url: u\n  ref: '{ref}'\n  verify: tag\n  verifyConnectionId: keys\n"
    assert properties.load(declared_file(tmp_path, text)).repositories[0].verify == "tag"


def test_a_name_declared_in_both_places_is_an_error(tmp_path: Path) -> None:
    environ = declared_file(tmp_path, "- {name: a, url: u}")
    loaded = properties.load({**environ, "KIOK_GITSYNC_REPOS": "a|u|main|, b|u|main|"})
    (problem,) = loaded.invalid_repositories
    assert problem.name == "a"
    assert "repository 'a' is also declared in kiok.gitsync.repos" in str(problem)
    assert [item.name for item in loaded.repositories] == ["b"]


# Secrets of the environment.


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    assert keys.from_environment("X", {"X_FILE": str(tmp_path / "key")}) == "from the file"
    assert keys.from_environment("X", {"X": "direct", "X_FILE": ""}) == "direct"
    assert keys.from_environment("X", {"X": ""}) is None


def test_a_secret_that_cannot_be_had_stops_the_start_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="both set"):
        keys.from_environment("X", {"X": "hunter2", "X_FILE": "/f"})
    with pytest.raises(ConfigurationError, match="No such file"):
        keys.from_environment("X", {"X_FILE": str(tmp_path / "no")})
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigurationError, match="is empty"):
        keys.from_environment("X", {"X_FILE": str(tmp_path / "empty")})


@pytest.mark.parametrize("value", ["hunter2\udcff", "hunter2\0"])
def test_a_secret_that_is_no_text_stops_the_start_without_being_shown(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^X holds .*value not shown") as caught:
        keys.from_environment("X", {"X": value})
    assert "hunter2" not in str(caught.value)
    (tmp_path / "key").write_bytes(b"hunter2\0")
    with pytest.raises(ConfigurationError, match=r"^X_FILE: .* holds a NUL character"):
        keys.from_environment("X", {"X_FILE": str(tmp_path / "key")})


def test_a_generated_key_is_private_stable_and_long(tmp_path: Path) -> None:
    first = keys.secret_key({}, tmp_path / "data")
    assert keys.secret_key({}, tmp_path / "data") == first
    assert len(first) >= 50
    assert (tmp_path / "data" / keys.SECRET_KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == [keys.SECRET_KEY_FILE]


def test_a_master_key_is_generated_only_for_the_embedded_database(tmp_path: Path) -> None:
    assert keys.master_key({}, tmp_path, embedded=False) is None
    assert list(tmp_path.iterdir()) == []
    made = keys.master_key({}, tmp_path, embedded=True)
    assert made
    assert keys.master_key({}, tmp_path, embedded=True) == made
    assert keys.master_key({"KIOK_MASTER_KEY": "given"}, tmp_path, embedded=True) == "given"


def test_the_token_of_the_metrics_is_given_or_there_is_none(tmp_path: Path) -> None:
    assert keys.metrics_token({}) is None
    assert keys.metrics_token({keys.METRICS_TOKEN: ""}) is None
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert keys.metrics_token({f"{keys.METRICS_TOKEN}_FILE": str(tmp_path / "token")}) == "0123456789abcdef"
    assert not properties.load({keys.METRICS_TOKEN: "x", f"{keys.METRICS_TOKEN}_FILE": ""}).warnings


@pytest.mark.parametrize("token", ["hunter2", "hunter2" * 3 + " ", "hunter2 hunter2 hunter2", "hünter2" * 3])
def test_a_token_that_no_client_could_send_or_anybody_guess_stops_the_start(token: str) -> None:
    with pytest.raises(ConfigurationError, match=r"KIOK_WEB_METRICS_TOKEN.*openssl") as caught:
        keys.metrics_token({keys.METRICS_TOKEN: token})
    assert "nter2" not in str(caught.value)


# DATABASE_URL.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://us%40er:p%2Fw%3A@DB.example:6543/na%20me?sslmode=require",
            {"USER": "us@er", "PASSWORD": "p/w:", "HOST": "db.example", "PORT": "6543", "NAME": "na me"},
        ),
        ("postgres://u@/n?host=/var/run/Pg", {"USER": "u", "HOST": "/var/run/Pg", "PORT": "", "NAME": "n"}),
        ("postgresql://u@%2Fvar%2Frun%2FPg:5433/n", {"HOST": "/var/run/Pg", "PORT": "5433"}),
        ("postgresql://u@[::1]:5432/n", {"HOST": "::1", "PORT": "5432"}),
        ("postgresql:///n", {"USER": "", "PASSWORD": "", "HOST": "", "NAME": "n"}),
    ],
)
def test_a_database_url_is_decoded(url: str, expected: dict[str, str]) -> None:
    parsed = database_url.parse(url)
    assert {key: parsed[key] for key in expected} == expected
    assert parsed["ENGINE"] == "django.db.backends.postgresql"
    assert parsed["OPTIONS"].get("sslmode") == ("require" if "sslmode" in url else None)


def test_a_server_whose_machine_is_gone_is_given_up_within_a_minute_unless_the_url_says_otherwise() -> None:
    found = database_url.parse("postgresql://u@h/n")["OPTIONS"]
    idle, interval, count = (int(found[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + interval * count <= 60
    assert int(found["tcp_user_timeout"]) <= 30_000
    asked = "keepalives_idle=300&tcp_user_timeout=0"
    given = database_url.parse(f"postgresql://u@h/n?{asked}")["OPTIONS"]
    assert given == found | {"keepalives_idle": "300", "tcp_user_timeout": "0"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hunter2@h/n", "PostgreSQL is the only database"),
        ("sqlite:///hunter2", "PostgreSQL is the only database"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("postgresql://u:hunter2@h:port/n", "cannot be parsed"),
        ("postgresql://u:hunter2#x@h/n", "write it as %23|cannot be parsed|names no database"),
        ("postgresql://u:hunter2@h/n?sslmod=require", "unknown parameter 'sslmod'"),
        ("postgresql://u:hunter2%00@h/n", "its password holds a NUL character"),
        ("postgresql://u%00:hunter2@h/n", "its user holds a NUL character"),
        ("postgresql://u:hunter2@h/n%00", "its name holds a NUL character"),
        ("postgresql://u:hunter2@h/n?options=%00", "its options holds a NUL character"),
    ],
)
def test_a_bad_database_url_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        database_url.parse(url)
    assert "hunter2" not in str(caught.value)


# The command line.


@pytest.mark.parametrize(
    ("given", "rest", "config"),
    [
        (["m", "--config", "f", "run"], ["m", "run"], "f"),
        (["m", "run", "--config=f", "-v"], ["m", "run", "-v"], "f"),
        (["m", "run"], ["m", "run"], None),
        (["m", "run", "--", "--config", "x"], ["m", "run", "--", "--config", "x"], None),
    ],
)
def test_config_is_taken_from_anywhere_in_the_command_line(
    given: list[str], rest: list[str], config: str
) -> None:
    assert take_config(given) == (rest, config)


@pytest.mark.parametrize("given", [["m", "run", "--config"], ["m", "--config=", "run"]])
def test_config_without_a_file_is_an_error(given: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--config requires the path"):
        take_config(given)


def manage(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_the_properties_command_prints_name_value_and_source(config: Path) -> None:
    config.write_text("kiok.workers=5\n")
    done = manage("properties", "--json", "--config", str(config), KIOK_WEB_PORT="8123")
    assert done.returncode == 0, done.stderr
    found = {line["name"]: line for line in json.loads(done.stdout)}
    assert found.keys() == properties.TABLE.keys()
    assert found["kiok.workers"]["value"] == "5"
    assert found["kiok.workers"]["source"] == f"{config}:1"
    assert found["kiok.web.port"]["source"] == "environment variable KIOK_WEB_PORT"
    assert os.environ["KIOK_MASTER_KEY"] not in done.stdout
    plain = manage("--config", str(config), "properties")
    assert "kiok.workers = 5\n" in plain.stdout


def test_properties_command_prints_a_markdown_table_of_defaults(config: Path) -> None:
    config.write_text("kiok.workers=5\n")
    done = manage("properties", "--markdown", "--config", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs" / "reference" / "properties.md").read_text(encoding="utf-8")
    assert done.stdout in page
    assert len(done.stdout.splitlines()) == len(properties.TABLE) + 2
    assert manage("properties", "--markdown", "--json").returncode != 0


@pytest.mark.parametrize("name", ["KIOK_WEB_HOST", "DATABASE_URL", "KIOK_CONFIG", "KIOK_REDIS_URL"])
def test_a_variable_that_is_not_utf_8_ends_a_command_with_status_2(name: str, tmp_path: Path) -> None:
    environ = {**os.environ, "KIOK_BROKER": "redis"} if name == "KIOK_REDIS_URL" else {**os.environ}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "gitsync", "--list"],
        env={**{k.encode(): v.encode() for k, v in environ.items()}, name.encode(): b"x\xff"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("kiok: ")


def test_an_argument_that_is_not_utf_8_ends_a_command_with_status_2() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "gitsync", "--list", "--repo", b"\xff"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("kiok: argument 4 of the command line holds the byte 0xFF")


def test_a_wrong_configuration_ends_any_command_with_status_2_and_plain_words() -> None:
    done = manage("check", KIOK_WORKERS="none")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "kiok: environment variable KIOK_WORKERS: kiok.workers is 'none': not a whole number; "
        "write it without unit, fraction or separators; allowed: a whole number from 1 to 64\n"
    )
