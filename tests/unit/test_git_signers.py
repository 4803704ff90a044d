"""Parsing of the output of gpg and ssh-keygen, and of trusted keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsync.git import allowed_signers, openpgp
from gitsync.git.errors import GitPersonError, GitReason
from gitsync.git.signature import TrustedKeys, trusted_keys_from_properties
from gitsync.git.signer import RefusalError, SignatureKind, Signer

ADA = "1738EDF06684801451DE377EFA2708DC123A27DE"
EVE = "56E24C093FFF4286461FF10DACB8F69F26456B30"
GOOD = f"[GNUPG:] GOODSIG {ADA[-16:]} Ada %C3%84 <ada@example.org>"
VALID = f"[GNUPG:] VALIDSIG {EVE} 2026-11-23 1795427961 0 4 0 22 8 00 {ADA}"


def gpg(*lines: str, status: int = 0) -> Signer:
    text = "\n".join(("[GNUPG:] NEWSIG", *lines, ""))
    return openpgp.signer_from_status(status, text, frozenset({ADA}))


class TestStatusLinesOfGpg:
    def test_good_signature_of_a_trusted_key_names_its_primary_key(self) -> None:
        assert gpg(GOOD, VALID) == Signer(SignatureKind.OPENPGP, "Ada Ä <ada@example.org>", ADA)

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            ((), 0),
            ((VALID,), 0),
            ((GOOD,), 0),
            ((GOOD, VALID), 1),
            ((GOOD, GOOD, VALID), 0),
            ((GOOD, VALID, VALID), 0),
            ((GOOD, VALID, f"[GNUPG:] BADSIG {EVE} Eve"), 0),
            ((GOOD, VALID, "[GNUPG:] FAILURE gpg-exit 33554433"), 0),
            ((GOOD, VALID, "[GNUPG:] KEYREVOKED"), 0),
            ((GOOD, VALID.replace(" 00 ", " 10 ")), 0),
            ((GOOD, VALID.replace(ADA, EVE)), 0),
            ((GOOD, VALID.replace(f" {ADA}", "")), 0),
            ((GOOD, "gpg: Good signature", VALID.replace("[GNUPG:] ", "")), 0),
            ((" " + GOOD, VALID), 0),
            ((GOOD.replace("[GNUPG:]", "[gnupg:]"), VALID), 0),
        ],
        ids=lambda value: str(value)[:40] if isinstance(value, tuple) else str(value),
    )
    def test_other_status_lines_are_refused(self, lines: tuple[str, ...], status: int) -> None:
        with pytest.raises(RefusalError):
            gpg(*lines, status=status)

    @pytest.mark.parametrize(
        ("line", "match"),
        [
            (f"BADSIG {ADA[-16:]} Ada", r"does not match.*\(Ada\)"),
            (f"EXPSIG {ADA[-16:]} Ada", "has itself expired"),
            (f"EXPKEYSIG {ADA[-16:]} Ada", "which has expired"),
            (f"REVKEYSIG {ADA[-16:]} Ada", "which is revoked"),
            (f"ERRSIG {EVE[-16:]} 22 8 00 1795427961 9 {EVE}", f"{EVE}, which is not among the trusted"),
            (f"ERRSIG {EVE[-16:]} 22 8 00 1795427961 9 -", f"{EVE[-16:]}, which is not among the trusted"),
            (f"ERRSIG {EVE[-16:]} 99 8 00 1795427961 4 -", r"cannot be checked \(gpg error 4\)"),
            ("ERRSIG", "cannot be checked"),
            ("BADSIG", "does not match"),
        ],
    )
    def test_each_refusal_names_the_cause_for_any_output_of_git(self, line: str, match: str) -> None:
        with pytest.raises(RefusalError, match=match) as caught:
            gpg(f"[GNUPG:] {line}", status=0)
        assert caught.value.judged

    def test_output_without_a_status_line_is_no_result(self) -> None:
        with pytest.raises(RefusalError) as caught:
            openpgp.signer_from_status(128, "error: could not write: No space left", frozenset({ADA}))
        assert not caught.value.judged

    def test_messages_have_no_control_characters_of_a_name(self) -> None:
        name = gpg(GOOD.replace("Ada", "Ada%0A%1B[31m"), VALID).name
        assert name.startswith("Ada??[31m")

    @given(
        st.lists(
            st.sampled_from((GOOD, VALID, "[GNUPG:] NODATA 1", "[GNUPG:] ", "x", f"[GNUPG:] ERRSIG {ADA}"))
            | st.text()
        )
    )
    def test_no_text_makes_an_untrusted_key_a_signer(self, lines: list[str]) -> None:
        with contextlib.suppress(RefusalError):
            signer = openpgp.signer_from_status(0, "\n".join(lines), frozenset({ADA}))
            assert signer.fingerprint == ADA
            assert GOOD in lines
            assert VALID in lines
        with pytest.raises(RefusalError):
            openpgp.signer_from_status(0, "\n".join(lines), frozenset({EVE}))


def ssh_string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


KEY = ssh_string(b"ssh-ed25519") + ssh_string(b"k" * 32)
FINGERPRINT = "SHA256:" + base64.b64encode(hashlib.sha256(KEY).digest()).decode().rstrip("=")
LINE = f"ada@example.org ssh-ed25519 {base64.b64encode(KEY).decode()}"
SSH_GOOD = f'Good "git" signature for ada@example.org with ED25519 key {FINGERPRINT}\n'


def armored(blob: bytes) -> bytes:
    text = base64.encodebytes(blob).strip()
    return b"-----BEGIN SSH SIGNATURE-----\n" + text + b"\n-----END SSH SIGNATURE-----\n"


SIGNATURE = armored(b"SSHSIG\0\0\0\x01" + ssh_string(KEY) + ssh_string(b"git"))


class TestOutputOfSshKeygen:
    def test_good_signature_of_an_allowed_signer_is_accepted(self) -> None:
        signer = allowed_signers.signer_from_words(0, SSH_GOOD, SIGNATURE, {FINGERPRINT: "ada"})
        assert signer == Signer(SignatureKind.SSH, "ada@example.org", FINGERPRINT)

    @pytest.mark.parametrize(
        ("status", "words", "match"),
        [
            (0, "", "does not match"),
            (1, SSH_GOOD, "does not match"),
            (0, SSH_GOOD + SSH_GOOD, "does not match"),
            (0, SSH_GOOD.replace('"git"', '"file"'), "does not match"),
            (0, " " + SSH_GOOD, "does not match"),
            (0, SSH_GOOD.replace(FINGERPRINT, "SHA256:" + "A" * 43), "does not match"),
            (0, SSH_GOOD.replace("for ada@example.org ", "") + "No principal matched.\n", "not valid now"),
            (
                1,
                "Could not verify signature.\nSignature verification failed: incorrect signature",
                "not match",
            ),
        ],
    )
    def test_other_output_is_refused_with_the_key(self, status: int, words: str, match: str) -> None:
        with pytest.raises(RefusalError, match=match) as caught:
            allowed_signers.signer_from_words(status, words, SIGNATURE, {FINGERPRINT: "ada"})
        assert f"{FINGERPRINT} (ada)" in str(caught.value)

    def test_good_signature_of_another_key_is_refused_with_its_fingerprint(self) -> None:
        with pytest.raises(RefusalError, match="not among the trusted keys") as caught:
            allowed_signers.signer_from_words(0, SSH_GOOD, SIGNATURE, {"SHA256:other": "ada"})
        assert FINGERPRINT in str(caught.value)

    @pytest.mark.parametrize(
        "signature",
        [
            b"",
            b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
            armored(b""),
            armored(b"SSHSIG\0\0\0\x02" + ssh_string(KEY)),
            armored(b"SSHSIG\0\0\0\x01\xff\xff\xff\xff" + KEY),
            armored(b"SSHSIG\0\0\0\x01" + ssh_string(b"")),
            SIGNATURE.replace(b"\n", b"\n\xff", 1),
            SIGNATURE + SIGNATURE,
        ],
    )
    def test_invalid_ssh_signature_is_refused(self, signature: bytes) -> None:
        with pytest.raises(RefusalError, match="not well-formed"):
            allowed_signers.signer_from_words(0, SSH_GOOD, signature, {FINGERPRINT: "ada"})

    @given(st.binary(max_size=200))
    def test_any_bytes_raise_only_the_documented_error(self, blob: bytes) -> None:
        for signature in (blob, armored(blob), armored(b"SSHSIG\0\0\0\x01" + blob)):
            with pytest.raises(RefusalError):
                allowed_signers.signer_from_words(0, SSH_GOOD, signature, {FINGERPRINT: "ada"})


PUBLIC = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"


class TestTrustedKeys:
    def test_both_kinds_are_accepted_with_any_line_breaks(self) -> None:
        keys = trusted_keys_from_properties(
            {
                "openpgpKeys": f"\r\n{PUBLIC}{PUBLIC}".replace("\n", "\r\n"),
                "allowedSigners": f"# x\r\n{LINE}\r\n",
            }
        )
        assert keys == TrustedKeys((PUBLIC + PUBLIC), f"# x\n{LINE}\n")

    @pytest.mark.parametrize("properties", [{}, {"openpgpKeys": " \n", "allowedSigners": ""}, {"token": "x"}])
    def test_error_without_keys_names_both_properties(self, properties: dict[str, str]) -> None:
        with pytest.raises(GitPersonError, match=r"'openpgpKeys'.*'allowedSigners'") as caught:
            trusted_keys_from_properties(properties)
        assert caught.value.reason is GitReason.SIGNATURE_KEYS_UNUSABLE

    @pytest.mark.parametrize(
        "text",
        [
            "ssh-ed25519 AAAA",
            PUBLIC.replace("END", "FIN"),
            PUBLIC + PUBLIC[:40],
            PUBLIC + "-----BEGIN PGP MESSAGE-----\n\niQ==\n-----END PGP MESSAGE-----\n",
            PUBLIC.replace("\n", " "),
        ],
    )
    def test_invalid_text_is_refused_with_the_allowed_forms(self, text: str) -> None:
        with pytest.raises(GitPersonError, match=r"'openpgpKeys'.*gpg --armor --export") as caught:
            trusted_keys_from_properties({"openpgpKeys": text})
        assert caught.value.reason is GitReason.SIGNATURE_KEYS_UNUSABLE

    def test_private_key_is_refused_and_not_repeated(self) -> None:
        with pytest.raises(GitPersonError, match="contains a private key") as caught:
            trusted_keys_from_properties({"openpgpKeys": PUBLIC + PUBLIC.replace("PUBLIC", "PRIVATE")})
        assert "mDME" not in str(caught.value)

    @pytest.mark.parametrize(
        ("line", "match"),
        [
            (LINE.partition(" ")[2], "begins with the key"),
            ("ada", "is not '<name>"),
            ("ada ssh-ed25519", "is not '<name>"),
            (LINE.replace("ssh-ed25519", "ed25519"), "is not '<name>"),
            (LINE[:-6], "truncated or mistyped"),
            (LINE.replace("ssh-ed25519", "ssh-rsa"), "no ssh-rsa key after its type"),
            ("ada ssh-ed25519 ä", "no ssh-ed25519 key"),
            (LINE.replace(" ", ' cert-authority,namespaces="git" ', 1), "certificate authority"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "is not '<name>"),
        ],
    )
    def test_invalid_line_is_named_by_its_number(self, line: str, match: str) -> None:
        with pytest.raises(GitPersonError, match=f"'allowedSigners', line 3, .*{match}") as caught:
            trusted_keys_from_properties({"allowedSigners": f"# ours\n{LINE}\n{line}\n"})
        assert caught.value.reason is GitReason.SIGNATURE_KEYS_UNUSABLE

    def test_comments_without_keys_are_refused(self) -> None:
        with pytest.raises(GitPersonError, match="contains no line"):
            trusted_keys_from_properties({"allowedSigners": "# nobody yet"})

    def test_signers_have_the_fingerprint_that_ssh_keygen_shows(self) -> None:
        quoted = (
            LINE.replace("ada@example.org", '"Ada L" namespaces="git",valid-after="2020 01"') + " comment"
        )
        assert allowed_signers.check_allowed_signers(quoted) == {FINGERPRINT: "Ada L"}

    def test_representation_has_no_keys(self) -> None:
        assert "AAAA" not in repr(TrustedKeys(PUBLIC, LINE))
