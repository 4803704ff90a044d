"""Signatures made by the real gpg and ssh-keygen, on real commits and tags: which count, and which do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.errors import GitError, GitPersonError, GitReason, GitTransientError
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.signature import TrustedKeys, trusted_keys_from_properties, verify
from gitsync.git.signer import SignatureKind, Signer
from gitsync.git.url import parse_url
from tests.integration.signing import (
    PAST,
    GpgHome,
    SshKey,
    put_commit,
    raw_object,
    signed_commit,
    signed_tag,
)
from tests.servers.process_list import command_lines
from tests.servers.repositories import WorkRepo

FILE = frozenset({"file"})
ADA = "Ada <ada@example.org>"
LATER_IN_PAST = "20200101T180000"


@dataclass(frozen=True)
class OpenPgpKeys:
    """Fingerprints: Ada's key, one of somebody else with the same name, and one that has expired."""

    home: GpgHome
    ada: str
    false_ada: str
    expired: str

    def trust(self, *fingerprints: str) -> TrustedKeys:
        return trusted_keys_from_properties({"openpgpKeys": self.home.public(*fingerprints)})


@pytest.fixture(scope="module")
def openpgp() -> Iterator[OpenPgpKeys]:
    home = GpgHome()
    try:
        yield OpenPgpKeys(
            home,
            ada=home.key(ADA),
            false_ada=home.key(ADA),
            expired=home.key("Old <old@example.org>", expires="2020-01-03", at=PAST),
        )
    finally:
        home.close()


@pytest.fixture(scope="module")
def ssh_ada(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    return SshKey(tmp_path_factory.mktemp("ssh"), "ada")


@pytest.fixture(scope="module")
def ssh_eve(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    return SshKey(tmp_path_factory.mktemp("ssh"), "eve")


class Verification:
    """Fetches what is asked for into a mirror and verifies it."""

    def __init__(self, repo: WorkRepo, directory: Path) -> None:
        self.client = GitClient(GitSettings(home=directory / "home", allow_protocols=FILE))
        self.mirror = Mirror(directory / "mirror", self.client)
        self._url = parse_url(repo.file_url, allow_protocols=FILE)

    def fetch(self, ref: str = "main") -> str:
        return self.mirror.fetch(self._url, parse_ref(ref), None)

    def commit(self, keys: TrustedKeys) -> Signer:
        return verify(self.client, self.mirror.git_directory, "commit", keys, commit=self.fetch())

    def tag(self, keys: TrustedKeys, ref: str = "tag:v1") -> Signer:
        commit = self.fetch(ref)
        name = ref.removeprefix("tag:")
        return verify(self.client, self.mirror.git_directory, "tag", keys, commit=commit, tag_name=name)

    def refusal(self, check: Callable[[], Signer], reason: GitReason = GitReason.SIGNATURE_REFUSED) -> str:
        """The message of a refusal for `reason`, with nothing left behind."""
        with pytest.raises(GitPersonError) as caught:
            check()
        assert caught.value.reason is reason, caught.value
        self.is_clean()
        return str(caught.value)

    def is_clean(self) -> None:
        """No directory and no process is left of any call."""
        home = str(self.client.settings.home)
        assert list(Path(home).glob("verify/*")) == []
        assert [line for line in command_lines() if home in line] == []


@pytest.fixture
def verification(work_repo: WorkRepo, tmp_path: Path) -> Verification:
    return Verification(work_repo, tmp_path)


class TestOpenPgpCommits:
    def test_a_commit_signed_by_a_trusted_key_names_its_signer(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        keys = openpgp.trust(openpgp.expired, openpgp.ada)
        assert verification.commit(keys) == Signer(SignatureKind.OPENPGP, ADA, openpgp.ada)
        verification.is_clean()

    def test_a_signing_subkey_counts_as_its_primary_key(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        key = openpgp.home.key("Grace <grace@example.org>")
        openpgp.home.gpg("--passphrase", "", "--quick-add-key", key, "ed25519", "sign")
        subkey = [
            line.split(":")[9]
            for line in openpgp.home.gpg("--list-keys", "--with-colons", key).splitlines()
            if line.startswith("fpr:")
        ][-1]
        assert subkey != key
        signed_commit(work_repo, openpgp.home.options(f"{subkey}!"))
        assert verification.commit(openpgp.trust(key)).fingerprint == key

    def test_an_unsigned_commit_is_refused_with_its_id(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        commit = work_repo.publish({"a.yaml": "1"})
        message = verification.refusal(
            lambda: verification.commit(openpgp.trust(openpgp.ada)), GitReason.SIGNATURE_MISSING
        )
        assert message.startswith(f"commit {commit} is not signed")
        assert "git commit --amend -S" in message

    def test_another_key_with_the_same_name_is_refused_by_its_fingerprint(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        commit = signed_commit(work_repo, openpgp.home.options(openpgp.false_ada))
        message = verification.refusal(lambda: verification.commit(openpgp.trust(openpgp.ada)))
        assert message.startswith(f"commit {commit} is refused")
        assert f"OpenPGP key {openpgp.false_ada}, which is not among the trusted keys" in message

    def test_an_expired_key_is_refused_though_it_was_valid_when_it_signed(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        signed_commit(
            work_repo, openpgp.home.options(openpgp.expired, f"--faked-system-time={LATER_IN_PAST}")
        )
        message = verification.refusal(lambda: verification.commit(openpgp.trust(openpgp.expired)))
        assert f"{openpgp.expired} (Old <old@example.org>), which has expired" in message

    def test_a_revoked_key_is_refused_from_the_moment_its_revocation_is_among_the_keys(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        key = openpgp.home.key("Rex <rex@example.org>")
        signed_commit(work_repo, openpgp.home.options(key))
        assert verification.commit(openpgp.trust(key)).fingerprint == key
        openpgp.home.revoke(key)
        message = verification.refusal(lambda: verification.commit(openpgp.trust(key)))
        assert f"{key} (Rex <rex@example.org>), which is revoked" in message

    def test_an_expired_signature_is_refused_though_its_key_is_valid(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        key = openpgp.home.key("Short <short@example.org>", at=PAST)
        past = (f"--faked-system-time={LATER_IN_PAST}", "--default-sig-expire=1d")
        signed_commit(work_repo, openpgp.home.options(key, *past))
        message = verification.refusal(lambda: verification.commit(openpgp.trust(key)))
        assert "Short <short@example.org>" in message
        assert "has itself expired" in message
        signed_commit(work_repo, openpgp.home.options(key))
        assert verification.commit(openpgp.trust(key)).fingerprint == key

    def test_content_changed_under_a_signature_is_refused(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        good = signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        altered = put_commit(work_repo, raw_object(work_repo, good).replace(b"signed\n", b"forged\n"))
        message = verification.refusal(lambda: verification.commit(openpgp.trust(openpgp.ada)))
        assert altered in message
        assert "does not fit what it stands under" in message
        assert ADA in message

    def test_the_text_of_a_signature_in_the_message_is_no_signature(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        good = raw_object(work_repo, signed_commit(work_repo, openpgp.home.options(openpgp.ada)))
        header = good[good.index(b"gpgsig ") : good.index(b"\n\n")]
        plain = good.replace(header + b"\n", b"").replace(b"\n\n", b"\n\n" + header + b"\n\n")
        assert b"gpgsig -----BEGIN PGP SIGNATURE-----" in plain
        put_commit(work_repo, plain)
        verification.refusal(
            lambda: verification.commit(openpgp.trust(openpgp.ada)), GitReason.SIGNATURE_MISSING
        )

    @pytest.mark.parametrize(
        ("header", "match"),
        [
            (b"gpgsig [GNUPG:] GOODSIG 0 Ada", "neither an OpenPGP nor an ssh"),
            (b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----", "gpg can read"),
            (b"gpgsig -----BEGIN PGP MESSAGE-----\n \n iQ==\n -----END PGP MESSAGE-----", "neither"),
            (
                b"gpgsig -----BEGIN SIGNED MESSAGE-----\n iQ==\n -----END SIGNED MESSAGE-----",
                "x509.*not supported",
            ),
            (b"gpgsig -----BEGIN SSH SIGNATURE-----\n U1NI\n -----END SSH SIGNATURE-----", "not well-formed"),
        ],
        ids=["status-line", "garbage", "message", "x509", "ssh"],
    )
    def test_a_forged_header_is_refused(
        self, header: bytes, match: str, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        plain = raw_object(work_repo, "HEAD")
        commit = put_commit(work_repo, plain.replace(b"\n\n", b"\n" + header + b"\n\n", 1))
        message = verification.refusal(lambda: verification.commit(openpgp.trust(openpgp.ada)))
        assert message.startswith(f"commit {commit} is refused")
        assert re.search(match, message), message

    def test_several_signatures_are_refused_though_one_is_good(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        good = raw_object(work_repo, signed_commit(work_repo, openpgp.home.options(openpgp.ada)))
        header = good[good.index(b"gpgsig ") : good.index(b"\n\n")]
        put_commit(work_repo, good.replace(header, header + b"\n" + header))
        assert "several signatures" in verification.refusal(
            lambda: verification.commit(openpgp.trust(openpgp.ada))
        )

    def test_a_packet_of_two_signatures_is_refused(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        both = openpgp.home.options(openpgp.ada, f"--local-user={openpgp.false_ada}")
        signed_commit(work_repo, both)
        keys = openpgp.trust(openpgp.ada, openpgp.false_ada)
        assert "several in one" in verification.refusal(lambda: verification.commit(keys))


class TestSshCommits:
    def test_a_commit_signed_by_an_allowed_signer_names_its_principal(
        self, work_repo: WorkRepo, ssh_ada: SshKey, ssh_eve: SshKey, verification: Verification
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        lines = "# ours\n\n" + ssh_eve.signer("eve@example.org") + ssh_ada.signer("ada@example.org")
        signer = verification.commit(trusted_keys_from_properties({"allowedSigners": lines}))
        assert signer == Signer(SignatureKind.SSH, "ada@example.org", ssh_ada.fingerprint)
        verification.is_clean()

    @pytest.mark.parametrize(
        ("principal", "options"),
        [
            ("*@example.org", ""),
            ("a@example.org,b@example.org", ""),
            ('"Ada Lovelace"', ""),
            ("ada", 'namespaces="git,file"'),
            ("ada", 'valid-after="20200101"'),
        ],
        ids=["pattern", "two", "quoted", "namespaces", "valid-after"],
    )
    def test_each_form_of_a_line_that_ssh_keygen_knows_serves(
        self,
        principal: str,
        options: str,
        work_repo: WorkRepo,
        ssh_ada: SshKey,
        verification: Verification,
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        keys = trusted_keys_from_properties({"allowedSigners": ssh_ada.signer(principal, options)})
        assert verification.commit(keys).fingerprint == ssh_ada.fingerprint

    def test_another_key_is_refused_by_its_fingerprint(
        self, work_repo: WorkRepo, ssh_ada: SshKey, ssh_eve: SshKey, verification: Verification
    ) -> None:
        commit = signed_commit(work_repo, ssh_eve.options())
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada@example.org"))
        message = verification.refusal(lambda: verification.commit(keys))
        assert message.startswith(f"commit {commit} is refused")
        assert f"ssh key {ssh_eve.fingerprint}, which is not among the trusted keys" in message

    def test_a_key_past_its_end_is_refused_whatever_date_the_commit_claims(
        self, work_repo: WorkRepo, ssh_ada: SshKey, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        old = raw_object(work_repo, "HEAD").replace(b"\n\nchange", b"\n\nold")
        dated = b"\n".join(
            line.rsplit(b" ", 2)[0] + b" 1577880000 +0000"
            if line.startswith((b"author", b"committer"))
            else line
            for line in old.split(b"\n")
        )
        put_commit(work_repo, _ssh_signed(dated, ssh_ada))
        signer = TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        assert verification.commit(signer).name == "ada"
        expired = TrustedKeys(allowed_signers=ssh_ada.signer("ada", 'valid-before="20210101"'))
        message = verification.refusal(lambda: verification.commit(expired))
        assert f"{ssh_ada.fingerprint} (ada), which is not valid now" in message

    def test_a_key_for_other_uses_than_git_is_refused(
        self, work_repo: WorkRepo, ssh_ada: SshKey, verification: Verification
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada", 'namespaces="file"'))
        assert "not for git" in verification.refusal(lambda: verification.commit(keys))

    def test_a_signature_made_for_another_use_is_refused(
        self, work_repo: WorkRepo, ssh_ada: SshKey, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        put_commit(work_repo, _ssh_signed(raw_object(work_repo, "HEAD"), ssh_ada, namespace="file"))
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        assert ssh_ada.fingerprint in verification.refusal(lambda: verification.commit(keys))

    def test_content_changed_under_a_signature_is_refused(
        self, work_repo: WorkRepo, ssh_ada: SshKey, verification: Verification
    ) -> None:
        good = raw_object(work_repo, signed_commit(work_repo, ssh_ada.options()))
        put_commit(work_repo, good.replace(b"signed\n", b"forged\n"))
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        message = verification.refusal(lambda: verification.commit(keys))
        assert "does not fit what it stands under" in message
        assert f"{ssh_ada.fingerprint} (ada)" in message

    def test_a_certificate_is_refused_and_told_from_a_key(
        self, work_repo: WorkRepo, ssh_ada: SshKey, ssh_eve: SshKey, verification: Verification
    ) -> None:
        certificate = ssh_eve.path.with_name("eve-cert.pub")
        command = ["ssh-keygen", "-q", "-s", str(ssh_ada.path), "-I", "eve", "-n", "eve"]
        subprocess.run([*command, str(ssh_eve.path.with_suffix(".pub"))], check=True, capture_output=True)
        work_repo.publish({"a.yaml": "1"})
        put_commit(work_repo, _ssh_signed(raw_object(work_repo, "HEAD"), ssh_eve, certificate=certificate))
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        assert "certificate, which is not supported" in verification.refusal(
            lambda: verification.commit(keys)
        )

    def test_each_kind_of_key_counts_for_its_own_kind_of_signature_only(
        self, work_repo: WorkRepo, ssh_ada: SshKey, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        gpg_only, ssh_only = openpgp.trust(openpgp.ada), TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        both = TrustedKeys(gpg_only.openpgp, ssh_only.allowed_signers)
        signed_commit(work_repo, ssh_ada.options())
        assert ssh_ada.fingerprint in verification.refusal(lambda: verification.commit(gpg_only))
        assert verification.commit(both).kind is SignatureKind.SSH
        signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        assert openpgp.ada in verification.refusal(lambda: verification.commit(ssh_only))
        assert verification.commit(both).kind is SignatureKind.OPENPGP


def _ssh_signed(
    commit: bytes, key: SshKey, *, namespace: str = "git", certificate: Path | None = None
) -> bytes:
    """The commit with a signature made by ssh-keygen itself."""
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(certificate or key.path)]
    made = subprocess.run(command, input=commit, capture_output=True, check=True).stdout
    header = b"gpgsig " + made.strip().replace(b"\n", b"\n ")
    return commit.replace(b"\n\n", b"\n" + header + b"\n\n", 1)


class TestTags:
    @pytest.mark.parametrize("kind", SignatureKind)
    def test_a_signed_tag_names_its_signer_and_its_commit_need_not_be_signed(
        self,
        kind: SignatureKind,
        work_repo: WorkRepo,
        ssh_ada: SshKey,
        openpgp: OpenPgpKeys,
        verification: Verification,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        options = openpgp.home.options(openpgp.ada) if kind is SignatureKind.OPENPGP else ssh_ada.options()
        work_repo.publish({"a.yaml": "1"})
        signed_tag(work_repo, options, "v1")
        assert verification.tag(keys).kind is kind
        verification.is_clean()
        with pytest.raises(GitError) as caught:
            verify(
                verification.client,
                verification.mirror.git_directory,
                "commit",
                keys,
                commit=verification.fetch("tag:v1"),
            )
        assert caught.value.reason is GitReason.SIGNATURE_MISSING

    @pytest.mark.parametrize("annotated", [True, False])
    def test_an_unsigned_tag_is_refused_though_its_commit_is_signed(
        self, annotated: bool, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        commit = signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        work_repo.tag("v1", annotated=annotated)
        message = verification.refusal(
            lambda: verification.tag(openpgp.trust(openpgp.ada)), GitReason.SIGNATURE_MISSING
        )
        tag = work_repo.git("rev-parse", "v1")
        assert (f"tag 'v1' ({tag})" if annotated else f"commit {commit} without a tag object") in message
        assert "git tag -s" in message

    def test_a_branch_has_no_tag_to_verify(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        message = verification.refusal(
            lambda: verification.tag(openpgp.trust(openpgp.ada), "main"), GitReason.SIGNATURE_MISSING
        )
        assert "a branch or a lightweight tag" in message

    def test_a_tag_by_another_key_is_refused_with_its_id(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        tag = signed_tag(work_repo, openpgp.home.options(openpgp.false_ada), "v1")
        message = verification.refusal(lambda: verification.tag(openpgp.trust(openpgp.ada)))
        assert message.startswith(f"tag 'v1' ({tag}) is refused")
        assert openpgp.false_ada in message

    def test_an_old_signed_tag_under_a_new_name_is_refused(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        tag = signed_tag(work_repo, openpgp.home.options(openpgp.ada), "v1")
        work_repo.push(f"{tag}:refs/tags/v2")
        keys = openpgp.trust(openpgp.ada)
        assert verification.tag(keys, "tag:v1").fingerprint == openpgp.ada
        message = verification.refusal(lambda: verification.tag(keys, "tag:v2"))
        assert "tag 'v1'" in message
        assert "the ref 'v2'" in message

    def test_of_nested_tags_the_outermost_has_to_be_signed(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        keys, options = openpgp.trust(openpgp.ada), openpgp.home.options(openpgp.ada)
        work_repo.tag("inner", annotated=True)
        signed_tag(work_repo, options, "v1", target="inner")
        assert verification.tag(keys).fingerprint == openpgp.ada
        signed_tag(work_repo, options, "inner")
        work_repo.tag("v1", annotated=True, at="inner")
        verification.refusal(lambda: verification.tag(keys), GitReason.SIGNATURE_MISSING)

    def test_a_tag_with_text_after_its_signature_is_refused(
        self, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        work_repo.publish({"a.yaml": "1"})
        good = raw_object(work_repo, signed_tag(work_repo, openpgp.home.options(openpgp.ada), "v1"))
        tag = work_repo.git(
            "hash-object", "-t", "tag", "-w", "--stdin", stdin=good + b"and more that nobody signed\n"
        )
        work_repo.push(f"+{tag}:refs/tags/v1")
        message = verification.refusal(lambda: verification.tag(openpgp.trust(openpgp.ada)))
        assert "something follows its signature" in message


class TestNothingOfTheMachineCounts:
    def test_a_key_in_the_machines_own_keyrings_does_not_count(
        self,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.false_ada))
        public = openpgp.home.public(openpgp.false_ada)
        # The user's, the one a variable names, and that of git's private home.
        for home in (
            tmp_path / "user" / ".gnupg",
            tmp_path / "named",
            verification.client.settings.home / ".gnupg",
        ):
            home.mkdir(mode=0o700, parents=True)
            subprocess.run(
                ["gpg", f"--homedir={home}", "--batch", "--no-autostart", "--quiet", "--import"],
                input=public.encode(),
                check=True,
                capture_output=True,
            )
            (home / "gpg.conf").write_text(f"trust-model always\nkeyring {home}/pubring.kbx\n")
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
        monkeypatch.setenv("GNUPGHOME", str(tmp_path / "named"))
        message = verification.refusal(lambda: verification.commit(openpgp.trust(openpgp.ada)))
        assert "not among the trusted keys" in message

    def test_programs_that_a_hostile_configuration_names_are_not_run(
        self,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        ssh_eve: SshKey,
        verification: Verification,
        tmp_path: Path,
    ) -> None:
        mark = tmp_path / "mark"
        program = tmp_path / "obliging"
        program.write_text(
            f"#!/bin/sh\ntouch {mark}\n"
            f"echo '[GNUPG:] GOODSIG {openpgp.ada} Ada'\n"
            f"""echo 'Good "git" signature for ada with ED25519 key {ssh_ada.fingerprint}'\n"""
        )
        program.chmod(0o755)
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        for options in (openpgp.home.options(openpgp.false_ada), ssh_eve.options()):
            signed_commit(work_repo, options)
            commit = verification.fetch()
            configuration = verification.mirror.git_directory / "config"
            configuration.write_text(
                configuration.read_text()
                + f'[gpg]\n\tprogram = {program}\n\tformat = ssh\n[gpg "openpgp"]\n\tprogram = {program}\n'
                + f'[gpg "ssh"]\n\tprogram = {program}\n\tallowedSignersFile = {tmp_path}/none\n'
            )
            with pytest.raises(GitPersonError) as caught:
                verify(verification.client, verification.mirror.git_directory, "commit", keys, commit=commit)
            assert caught.value.reason is GitReason.SIGNATURE_REFUSED
            assert not mark.exists()

    def test_many_verifications_leave_no_process_and_no_directory(
        self,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        for number in range(3):
            signed_commit(work_repo, openpgp.home.options(openpgp.ada), f"dag: g{number}\n")
            verification.commit(keys)
            signed_commit(work_repo, ssh_ada.options(), f"dag: s{number}\n")
            verification.commit(keys)
        verification.is_clean()
        assert list(temporary.iterdir()) == []

    def test_what_a_killed_process_left_is_swept_by_the_next(
        self, work_repo: WorkRepo, ssh_ada: SshKey, verification: Verification
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        left = verification.client.settings.home / "verify" / f"call-{namespace}-1-1-abc"
        left.mkdir(parents=True)
        verification.commit(TrustedKeys(allowed_signers=ssh_ada.signer("ada")))
        assert not left.exists()


class TestWhatIsMissing:
    @pytest.mark.parametrize("program", ["gpg", "ssh-keygen"])
    def test_a_program_that_is_not_installed_is_named_with_its_package(
        self,
        program: str,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        signed_commit(work_repo, openpgp.home.options(openpgp.ada) if program == "gpg" else ssh_ada.options())
        bare = tmp_path / "bin"
        bare.mkdir()
        for name in ("git", "sh", "setpriv", "env"):
            found = shutil.which(name)
            assert found
            (bare / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(bare))
        message = verification.refusal(lambda: verification.commit(keys), GitReason.GIT_MISSING)
        assert program in message
        assert {"gpg": "package gpg", "ssh-keygen": "package openssh-client"}[program] in message

    @pytest.mark.parametrize("status", [0, 2])
    @pytest.mark.parametrize("program", ["gpg", "ssh-keygen"])
    def test_a_program_that_says_nothing_is_not_believed_and_asked_again_later(
        self,
        program: str,
        status: int,
        work_repo: WorkRepo,
        openpgp: OpenPgpKeys,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        keys = TrustedKeys(openpgp.trust(openpgp.ada).openpgp, ssh_ada.signer("ada"))
        signed_commit(work_repo, openpgp.home.options(openpgp.ada) if program == "gpg" else ssh_ada.options())
        mute = tmp_path / "bin" / program
        mute.parent.mkdir()
        mute.write_text(
            f'#!/bin/sh\ncase "$*" in *--import*) exec {shutil.which(program)} "$@" ;; esac\nexit {status}\n'
        )
        mute.chmod(0o755)
        monkeypatch.setenv("PATH", f"{mute.parent}:{os.environ['PATH']}")
        with pytest.raises(GitTransientError):
            verification.commit(keys)
        verification.is_clean()

    def test_a_program_that_hangs_is_ended_in_time_with_all_it_started(
        self,
        work_repo: WorkRepo,
        ssh_ada: SshKey,
        verification: Verification,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        signed_commit(work_repo, ssh_ada.options())
        commit = verification.fetch()
        nap = f"61.{os.getpid()}"
        hanging = tmp_path / "bin" / "ssh-keygen"
        hanging.parent.mkdir()
        hanging.write_text(f"#!/bin/sh\nsleep {nap}\n")
        hanging.chmod(0o755)
        monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
        hurried = GitClient(
            replace(verification.client.settings, timeout_seconds=1.0, kill_after_seconds=1.0)
        )
        keys = TrustedKeys(allowed_signers=ssh_ada.signer("ada"))
        with pytest.raises(GitTransientError) as caught:
            verify(hurried, verification.mirror.git_directory, "commit", keys, commit=commit)
        assert caught.value.reason is GitReason.TIMEOUT
        verification.is_clean()
        assert not [line for line in command_lines() if nap in line]

    @pytest.mark.parametrize("damage", ["altered", "cut off"])
    def test_a_damaged_key_beside_a_good_one_is_told_at_its_property(
        self, damage: str, work_repo: WorkRepo, openpgp: OpenPgpKeys, verification: Verification
    ) -> None:
        signed_commit(work_repo, openpgp.home.options(openpgp.ada))
        first, blank, *body, _crc, last = openpgp.home.public(openpgp.expired).splitlines()
        if damage == "altered":
            body[1] = body[1][::-1]
        else:
            body = body[:3]
        damaged = openpgp.home.public(openpgp.ada) + "\n".join([first, blank, *body, last])
        keys = trusted_keys_from_properties({"openpgpKeys": damaged})
        message = verification.refusal(lambda: verification.commit(keys), GitReason.SIGNATURE_KEYS_UNUSABLE)
        assert "'openpgpKeys'" in message
        assert "gpg cannot import it" in message

    def test_a_secret_key_is_refused_before_anything_reads_it(self, openpgp: OpenPgpKeys) -> None:
        with pytest.raises(GitPersonError, match="holds a private key") as caught:
            trusted_keys_from_properties({"openpgpKeys": openpgp.home.secret(openpgp.ada)})
        assert caught.value.reason is GitReason.SIGNATURE_KEYS_UNUSABLE
