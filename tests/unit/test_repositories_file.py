"""The YAML file of declared repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.properties.declared import DeclaredRepository
from kiok.server import properties
from kiok.server.errors import PropertyError
from tests.support.property_files import declared_file, problems


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
    ("text", "expected"),
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
        ("- name: a\n  url: u\n  owner: 5", ":3: key 'owner' is 5 (int); expected text (quote it)"),
        ("- name: a\n  url: u\n  owner: ' x'", "owner ' x' is not an owner; allowed: 1 to 200 printable"),
        (f"- name: a\n  url: u\n  owner: {'o' * 201}", "of 201 characters is not an owner; allowed"),
        ('- name: a\n  url: u\n  owner: "a\\tb"', "is not an owner; allowed"),
        ("- name: a\n  url: u\n  owners: x", ":3: unknown key 'owners'; did you mean 'owner'?"),
        ("- name: a\n  url: u\n  include: 3", ":3: key 'include' is 3 (int); expected text"),
        ("- name: a\n  url: u\n  include: [a, 3]", ":3: key 'include' is a list; expected a single value"),
        ("- name: a\n  url: u\n  include: {a: b}", ":3: key 'include' is a mapping"),
        ("- name: a\n  url: u\n  subpath: [a]", ":3: key 'subpath' is a list; expected a single value"),
    ],
)
def test_a_departure_in_the_yaml_file_is_located(tmp_path: Path, text: str, expected: str) -> None:
    environ = declared_file(tmp_path, f"{text}\n- name: good\n  url: https://h/good\n")
    loaded = properties.load(environ)
    message = "\n".join(map(str, loaded.invalid_repositories))
    assert message.startswith(environ["KIOK_GITSYNC_REPOS_FILE"] + ":")
    assert expected in message
    assert "hunter2" not in message
    named = {item.name for item in loaded.invalid_repositories}
    assert named == ({"a"} if "name: a" in text else {""})
    assert [item.name for item in loaded.repositories] == ["good"]


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_a_file_that_cannot_be_read_as_a_whole_is_an_error(
    tmp_path: Path, text: bytes, expected: str
) -> None:
    file = tmp_path / "repos.yaml"
    file.write_bytes(text)
    message = problems({"KIOK_GITSYNC_REPOS_FILE": str(file)})
    assert message.startswith(f"{file}:")
    assert expected in message
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


@pytest.mark.parametrize(
    ("text", "owner"),
    [("owner: Team Sales", "Team Sales"), ("owner: <b>x</b>", "<b>x</b>"), ("owner:", ""), ("ref: main", "")],
)
def test_an_owner_is_declared(tmp_path: Path, text: str, owner: str) -> None:
    (declared,) = properties.load(declared_file(tmp_path, f"- name: a\n  url: u\n  {text}\n")).repositories
    assert declared.owner == owner


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
