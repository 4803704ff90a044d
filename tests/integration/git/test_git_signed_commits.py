"""Signatures made by the real gpg and ssh-keygen on real commits: which count, and which do not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gitsync.git.errors import GitReason
from gitsync.git.signature import TrustedKeys, trusted_keys_from_properties
from gitsync.git.signer import SignatureKind, Signer
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import PAST, SshKey, put_commit, raw_object, signed_commit
from tests.support.verification import ADA, OpenPgpKeys, Verification

LATER_IN_PAST = "20200101T180000"


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

    def test_a_revoked_key_is_refused_once_its_revocation_is_known(
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
        assert "does not match the signed content" in message
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
            (b"gpgsig [GNUPG:] GOODSIG 0 Ada", "neither OpenPGP nor ssh"),
            (
                b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----",
                "cannot be read by gpg",
            ),
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
        assert "contains several signatures" in verification.refusal(lambda: verification.commit(keys))


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
    def test_each_form_of_a_line_that_ssh_keygen_accepts_is_accepted(
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
        assert "not valid for git" in verification.refusal(lambda: verification.commit(keys))

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
        assert "does not match the signed content" in message
        assert f"{ssh_ada.fingerprint} (ada)" in message

    def test_a_certificate_is_refused_and_distinguished_from_a_key(
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
