"""Files whose bytes represent another file: Git LFS pointers, git-annex pointers, encrypted files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compilers.result import FileResult, FileStatus
from kiok.opaque import opaque_reason
from kiok.yaml_dag import compile_yaml
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
SOPS = b"""dag:
    id: ENC[AES256_GCM,data:xyz,iv:abc=,tag:def==,type:str]
tasks: []
sops:
    lastmodified: "2026-01-01T00:00:00Z"
    version: 3.9.0
"""
SOPS_BINARY = b'{\n\t"data": "ENC[AES256_GCM,data:xyz,iv:abc=]",\n\t"sops": {"version": "3.9.0"}\n}'
OPAQUE = {
    "lfs": (LFS, "Git LFS pointer"),
    "lfs crlf": (LFS.replace(b"\n", b"\r\n"), "Git LFS pointer"),
    "lfs, before 1.0": (
        b"version https://hawser.github.com/spec/v1\noid sha256:4d\nsize 1\n",
        "Git LFS pointer",
    ),
    "git-annex": (b"/annex/objects/SHA256E-s31390--f50d7ac4.yaml\n", "git-annex pointer"),
    "git-crypt": (b"\0GITCRYPT\0" + bytes(range(200)), "encrypted (git-crypt)"),
    "sops": (SOPS, "encrypted (sops)"),
    "sops of a file": (SOPS_BINARY, "encrypted (sops)"),
    "ansible-vault": (b"$ANSIBLE_VAULT;1.1;AES256\n36613465\n", "encrypted (ansible-vault)"),
    "age": (b"age-encryption.org/v1\n-> X25519 abc\n", "encrypted (age)"),
    "age armor": (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", "encrypted (age)"),
    "pgp armor": (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", "encrypted (OpenPGP)"),
    "strongbox": (b"# STRONGBOX ENCRYPTED RESOURCE ; See https://github.com\nabc\n", "encrypted (strongbox)"),
    "openssl": (b"Salted__\x01\x02\x03", "encrypted (openssl enc)"),
    "transcrypt": (b"U2FsdGVkX1+abcdef==\n", "encrypted (openssl enc)"),
}
PLAIN = {
    "yaml": b"dag: {id: d}\ntasks: [{id: a, script: s}]\n",
    "python": b"from kiok import Dag\n",
    "jar": b"PK\x03\x04" + bytes(60),
    "empty": b"",
    "mentions lfs": b"# version https://git-lfs.github.com/spec/v1\nx: 1\n",
    "mentions sops": b"dag: {id: d}\nsops: {}\n",
    "a script with ENC[": b"tasks: ['echo ENC[AES256_GCM,x]']\n",
    "accents": "Ã©: Ä\n".encode(),
    "latin-1": bytes(range(0x80, 0x100)),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_pointer_or_encrypted_file_is_named_with_a_remedy(name: str) -> None:
    content, output = OPAQUE[name]
    reason = opaque_reason(content)
    assert reason is not None
    assert output in reason
    assert "commit" in reason
    assert ".kiokignore" in reason


@pytest.mark.parametrize("name", PLAIN)
def test_other_files_are_compiled(name: str) -> None:
    assert opaque_reason(PLAIN[name]) is None


@pytest.mark.parametrize(
    "arguments", [["-c"], ["-c", "--rfc4880"], ["-c", "--armor"], ["-e", "-r", "a@example.com"]], ids=str
)
def test_message_of_a_real_gpg_is_recognized(arguments: list[str], tmp_path: Path) -> None:
    home = ["gpg", "--homedir", str(tmp_path), "--batch", "--pinentry-mode", "loopback", "--passphrase", "x"]
    tmp_path.chmod(0o700)
    if "-e" in arguments:
        made = [*home[:-1], "", "--quick-gen-key", "a@example.com", "rsa2048", "encr", "never"]
        subprocess.run(made, check=True, capture_output=True, timeout=600)
    try:
        run = subprocess.run(
            [*home, "--trust-model", "always", *arguments, "-o", "-"],
            input=PLAIN["yaml"],
            check=True,
            capture_output=True,
            timeout=600,
        )
    finally:  # gpg starts an agent that would stay
        subprocess.run(["gpgconf", "--homedir", str(tmp_path), "--kill", "all"], check=True, timeout=600)
    assert "encrypted (OpenPGP)" in str(opaque_reason(run.stdout))


def results(content: bytes) -> dict[str, FileResult]:
    """Return the result of the content in each format; any use of the sandbox is a failure."""

    def refuse(*_: object) -> None:
        pytest.fail("a container was started for a file that is no DAG source")

    tree = MemoryTree({f"x.{ending}": content for ending in ("yaml", "yml", "py", "jar")})
    return {file.source.path: file for file in compile_tree(tree, sandbox=FakeSandbox(refuse)).files}


@pytest.mark.parametrize("name", OPAQUE)
def test_python_and_jars_fail_without_a_container_yaml_is_in_doubt(name: str) -> None:
    content, output = OPAQUE[name]
    found = results(content)
    for path in ("x.py", "x.jar"):
        assert found[path].status is FileStatus.FAILED
        assert output in found[path].diagnostics[0].message
        assert found[path].key, "it is compiled again although nothing can change"
    assert "jar" in found["x.jar"].diagnostics[0].message
    for path in ("x.yaml", "x.yml"):
        # sops leaves the keys as they are, so that a DAG shows.
        expected = FileStatus.FAILED if content is SOPS else FileStatus.NOT_A_DAG
        assert found[path].status is expected
        assert output in found[path].diagnostics[0].message
        assert found[path].doubts or expected is FileStatus.FAILED


def test_data_file_encrypted_by_sops_is_in_doubt() -> None:
    compiled = compile_yaml(SOPS.replace(b"dag:", b"data:").replace(b"tasks:", b"x:"), "secrets.yaml")
    assert compiled.import_failed
    assert "sops" in compiled.diagnostics[0].message
