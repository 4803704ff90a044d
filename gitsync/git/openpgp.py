"""OpenPGP signatures: a keyring for one call, and the parser of gpg's status lines.

See https://github.com/gpg/gnupg/blob/master/doc/DETAILS, "Format of the --status-fd output".
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from gitsync.git.client import GitClient
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.private_directory import write_private
from gitsync.git.process import GitProcess, OutputLimitPassed, TimeLimitPassed
from gitsync.git.signer import RefusalError, SignatureKind, Signer, shown

_MAX_OUTPUT_BYTES = 4 << 20
_STATUS = "[GNUPG:] "
_BLOCK = re.compile(
    r"^-----BEGIN PGP PUBLIC KEY BLOCK-----$.*?^-----END PGP PUBLIC KEY BLOCK-----$", re.MULTILINE | re.DOTALL
)
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
# The machine's settings do not count: no option file is read, no agent or key daemon started, no key fetched. The keyring
# alone decides which keys are trusted, so the web of trust is not used.
_OPTIONS = (
    "--no-options",
    "--batch",
    "--no-tty",
    "--no-verbose",
    "--no-greeting",
    "--no-autostart",
    "--disable-dirmngr",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--no-auto-check-trustdb",
    "--no-random-seed-file",
    "--display-charset=utf-8",
    "--trust-model=always",
)
# A redirection to nowhere (libassuan, README) in place of the agent's socket. After each import gpg asks the agent for a
# secret key, and it would report an error if the path of the socket were too long.
_NO_AGENT = "%Assuan%\nsocket=/nonexistent/agent\n"
# At most one of these per signature. The first three fields are keyword, key and user id.
_VERDICTS = {
    "GOODSIG": "",
    "EXPKEYSIG": "is by {key}, which has expired",
    "REVKEYSIG": "is by {key}, which is revoked",
    "EXPSIG": "is by {key}, and has itself expired",
    "BADSIG": "does not match the signed content. It claims to be by {key}",
    "ERRSIG": "",
}
_NO_PUBLIC_KEY = "9"  # error code of ERRSIG for a missing key


def check_public_keys(text: str) -> str:
    """Return the armored public keys with normalized line ends. Raises GitError (SIGNATURE_KEYS_UNUSABLE)."""
    text = "\n".join(line.strip() for line in text.splitlines())
    if "-----BEGIN PGP PRIVATE KEY BLOCK-----" in text:
        raise _unusable("it contains a private key. Replace it with the public one (gpg --armor --export)")
    blocks = _BLOCK.findall(text)
    if not blocks or text.count("-----BEGIN ") != len(blocks):
        raise _unusable(
            "it must contain only ASCII-armored public keys, each from '-----BEGIN PGP PUBLIC KEY BLOCK-----' "
            "to '-----END PGP PUBLIC KEY BLOCK-----', as printed by gpg --armor --export"
        )
    return "\n".join(blocks) + "\n"


class Keyring:
    """A verifier for OpenPGP signatures: gpg with only the given public keys.

    `directory` is private and removed by the caller.
    """

    def __init__(self, client: GitClient, directory: Path, public_keys: str) -> None:
        """Import the keys. Raises GitError (GIT_MISSING, SIGNATURE_KEYS_UNUSABLE)."""
        gpg = shutil.which("gpg")
        if gpg is None:
            raise git_error(
                GitReason.GIT_MISSING,
                "the OpenPGP signature cannot be verified: gpg is not installed or not on the PATH of the service. "
                "Install GnuPG (Debian package gpg)",
            )
        home = directory / "gnupg"
        home.mkdir(mode=0o700)
        write_private(home / "S.gpg-agent", _NO_AGENT)
        self._command = [gpg, f"--homedir={home}", *_OPTIONS]
        self.program = directory / "gpg"
        self.program.write_text(f'#!/bin/sh\nexec {shlex.join(self._command)} "$@"\n', encoding="utf-8")
        self.program.chmod(0o700)
        self._fingerprints = self._import(client, directory, public_keys) if public_keys else frozenset()

    def config(self) -> dict[str, str]:
        """Return the git configuration for a verification with this keyring."""
        # Both names are the same setting. git uses the one that it reads last.
        return {"gpg.program": str(self.program), "gpg.openpgp.program": str(self.program)}

    def judge(self, status: int, raw: str) -> Signer:
        """Return the signer that git's exit status and gpg's status lines attest. Raises RefusalError."""
        return signer_from_status(status, raw, self._fingerprints)

    def _import(self, client: GitClient, directory: Path, public_keys: str) -> frozenset[str]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory), "LC_ALL": "C"}
        with GitProcess(
            [*self._command, "--status-fd=1", "--import"],
            directory=directory,
            environment=environment,
            kill_after_seconds=client.settings.kill_after_seconds,
        ) as process:
            try:
                status, output = process.finish(
                    public_keys.encode(),
                    timeout_seconds=client.settings.timeout_seconds,
                    max_output_bytes=_MAX_OUTPUT_BYTES,
                )
            except (TimeLimitPassed, OutputLimitPassed) as exc:
                raise git_error(GitReason.TIMEOUT, "gpg did not finish importing the trusted keys") from exc
            words = process.stderr.replace(f"{directory}/", "")
        lines = _status_lines(output.decode("utf-8", "replace"))
        imported = frozenset(fields[2] for fields in lines if fields[0] == "IMPORT_OK" and len(fields) == 3)
        if status != 0 or not imported:
            printed = [
                line.removeprefix("gpg: ").strip() for line in words.splitlines() if "keybox" not in line
            ]
            raise _unusable(f"gpg cannot import it: {shown('; '.join(printed))}")
        return imported


def signer_from_status(status: int, raw: str, trusted: frozenset[str]) -> Signer:
    """Return the signer that `git verify-commit --raw` or `verify-tag --raw` attests.

    `status` is git's exit status, `raw` its output, `trusted` the fingerprints of the trusted primary keys. gpg's lines
    must report exactly one good signature and its signer, and git must agree. Raises RefusalError.
    """
    lines = _status_lines(raw)
    verdicts = [fields for fields in lines if fields[0] in _VERDICTS]
    if not verdicts:
        raise RefusalError("cannot be read by gpg", judged=bool(lines))
    if len(verdicts) > 1:
        raise RefusalError("contains several signatures, which is not supported")
    verdict, key = [*verdicts[0], ""][:2]
    valid = [fields for fields in lines if fields[0] == "VALIDSIG" and len(fields) >= 11]
    fingerprint = valid[0][10] if len(valid) == 1 else key
    if verdict == "ERRSIG":
        raise RefusalError(_errsig(verdicts[0]))
    name = shown(unquote(" ".join(verdicts[0][2:])).strip())
    if verdict != "GOODSIG":
        raise RefusalError(_VERDICTS[verdict].format(key=f"OpenPGP key {fingerprint} ({name})"))
    keywords = {fields[0] for fields in lines}
    signature_class = valid[0][9] if len(valid) == 1 else ""
    if (
        status != 0
        or signature_class not in ("00", "01")  # signatures of documents; the other classes certify keys
        or not _FINGERPRINT.fullmatch(fingerprint)
        or keywords & {"NODATA", "UNEXPECTED", "FAILURE", "KEYREVOKED", "NO_PUBKEY", "BADARMOR"}
    ):
        raise RefusalError(f"is by OpenPGP key {fingerprint} ({name}), but git or gpg does not accept it")
    if fingerprint not in trusted:
        raise RefusalError(f"is by OpenPGP key {fingerprint} ({name}), which is not among the trusted keys")
    return Signer(SignatureKind.OPENPGP, name, fingerprint)


def _errsig(fields: Sequence[str]) -> str:
    """Return the refusal for `ERRSIG <keyid> <pkalgo> <hashalgo> <sig_class> <time> <rc> <fpr>`."""
    key = fields[7] if len(fields) > 7 and fields[7] != "-" else "".join(fields[1:2])
    code = fields[6] if len(fields) > 6 else ""
    if code == _NO_PUBLIC_KEY:
        return f"is by OpenPGP key {shown(key)}, which is not among the trusted keys"
    return f"claims to be by OpenPGP key {shown(key)} and cannot be checked (gpg error {shown(code) or 'unknown'})"


def _status_lines(text: str) -> list[list[str]]:
    return [
        line.removeprefix(_STATUS).split(" ")
        for line in text.split("\n")
        if line.startswith(_STATUS) and line != _STATUS
    ]


def _unusable(why: str) -> GitError:
    return git_error(GitReason.SIGNATURE_KEYS_UNUSABLE, f"the property 'openpgpKeys' cannot be used: {why}")
