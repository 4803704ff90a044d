"""OpenPGP signatures: a keyring for one call, and what gpg's status lines say.

The lines are those of https://github.com/gpg/gnupg/blob/master/doc/DETAILS, "Format of the --status-fd output".
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
# Nothing of the machine counts: no option file, no agent or key daemon started, nothing looked up elsewhere. Which
# keys are trusted is said by the keyring alone, so the web of trust is not asked.
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
# In place of the agent's socket: a redirection (libassuan, README) to nowhere. gpg asks after each import whether
# there is a secret key, and where the path of the socket were too long for one, it would call that an error.
_NO_AGENT = "%Assuan%\nsocket=/nonexistent/agent\n"
# At most one of them per signature; the first three fields are keyword, key, user id.
_VERDICTS = {
    "GOODSIG": "",
    "EXPKEYSIG": "is by {key}, which has expired",
    "REVKEYSIG": "is by {key}, which is revoked",
    "EXPSIG": "is by {key}, and has itself expired",
    "BADSIG": "does not fit what it stands under. It claims to be by {key}",
    "ERRSIG": "",
}
_NO_PUBLIC_KEY = "9"  # ERRSIG's error code for a key that is not there


def check_public_keys(text: str) -> str:
    """The armored public keys, with plain line ends. Raises GitError (SIGNATURE_KEYS_UNUSABLE)."""
    text = "\n".join(line.strip() for line in text.splitlines())
    if "-----BEGIN PGP PRIVATE KEY BLOCK-----" in text:
        raise _unusable("it holds a private key. Remove it, and give the public one (gpg --armor --export)")
    blocks = _BLOCK.findall(text)
    if not blocks or text.count("-----BEGIN ") != len(blocks):
        raise _unusable(
            "it has to hold ASCII-armored public keys and nothing else: each from '-----BEGIN PGP PUBLIC KEY BLOCK-----' "
            "to '-----END PGP PUBLIC KEY BLOCK-----', as gpg --armor --export prints them"
        )
    return "\n".join(blocks) + "\n"


class Keyring:
    """gpg with the given public keys and no others, under `directory` (private, removed by the caller)."""

    def __init__(self, client: GitClient, directory: Path, public_keys: str) -> None:
        """Import the keys. Raises GitError: GIT_MISSING, SIGNATURE_KEYS_UNUSABLE."""
        gpg = shutil.which("gpg")
        if gpg is None:
            raise git_error(
                GitReason.GIT_MISSING,
                "an OpenPGP signature is to be verified, and gpg is not installed, or not on the PATH of the service. "
                "Install GnuPG (the Debian package gpg)",
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
        """Git's configuration for a verification with this keyring."""
        # Both names are the same setting; the one git reads last wins.
        return {"gpg.program": str(self.program), "gpg.openpgp.program": str(self.program)}

    def judge(self, status: int, raw: str) -> Signer:
        """Whose good signature git's exit status and gpg's status lines attest. Raises RefusalError."""
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
                raise git_error(GitReason.TIMEOUT, "gpg did not get done importing the trusted keys") from exc
            words = process.stderr.replace(f"{directory}/", "")
        lines = _status_lines(output.decode("utf-8", "replace"))
        imported = frozenset(fields[2] for fields in lines if fields[0] == "IMPORT_OK" and len(fields) == 3)
        if status != 0 or not imported:
            said = [line.removeprefix("gpg: ").strip() for line in words.splitlines() if "keybox" not in line]
            raise _unusable(f"gpg cannot import it: {shown('; '.join(said))}")
        return imported


def signer_from_status(status: int, raw: str, trusted: frozenset[str]) -> Signer:
    """The signer that `git verify-commit --raw` or `verify-tag --raw` attests.

    `status` is git's exit status, `raw` what it printed, `trusted` the fingerprints of the primary keys that count.
    Both have to say so: gpg's lines that one signature is good and whose it is, and git that it agrees. Raises
    RefusalError.
    """
    lines = _status_lines(raw)
    verdicts = [fields for fields in lines if fields[0] in _VERDICTS]
    if not verdicts:
        raise RefusalError("is nothing gpg can read", judged=bool(lines))
    if len(verdicts) > 1:
        raise RefusalError("is several in one, which is not supported")
    verdict, key = [*verdicts[0], ""][:2]
    valid = [fields for fields in lines if fields[0] == "VALIDSIG" and len(fields) >= 11]
    fingerprint = valid[0][10] if len(valid) == 1 else key
    if verdict == "ERRSIG":
        raise RefusalError(_errsig(verdicts[0]))
    name = shown(unquote(" ".join(verdicts[0][2:])).strip())
    if verdict != "GOODSIG":
        raise RefusalError(_VERDICTS[verdict].format(key=f"OpenPGP key {fingerprint} ({name})"))
    said = {fields[0] for fields in lines}
    signature_class = valid[0][9] if len(valid) == 1 else ""
    if (
        status != 0
        or signature_class not in ("00", "01")  # of a document; anything else certifies keys
        or not _FINGERPRINT.fullmatch(fingerprint)
        or said & {"NODATA", "UNEXPECTED", "FAILURE", "KEYREVOKED", "NO_PUBKEY", "BADARMOR"}
    ):
        raise RefusalError(f"is by OpenPGP key {fingerprint} ({name}), and git or gpg do not find it good")
    if fingerprint not in trusted:
        raise RefusalError(f"is by OpenPGP key {fingerprint} ({name}), which is not among the trusted keys")
    return Signer(SignatureKind.OPENPGP, name, fingerprint)


def _errsig(fields: Sequence[str]) -> str:
    """ERRSIG <keyid> <pkalgo> <hashalgo> <sig_class> <time> <rc> <fpr>."""
    key = fields[7] if len(fields) > 7 and fields[7] != "-" else "".join(fields[1:2])
    code = fields[6] if len(fields) > 6 else ""
    if code == _NO_PUBLIC_KEY:
        return f"is by OpenPGP key {shown(key)}, which is not among the trusted keys"
    return f"claims OpenPGP key {shown(key)} and cannot be checked (gpg's error {shown(code) or 'unknown'})"


def _status_lines(text: str) -> list[list[str]]:
    return [
        line.removeprefix(_STATUS).split(" ")
        for line in text.split("\n")
        if line.startswith(_STATUS) and line != _STATUS
    ]


def _unusable(why: str) -> GitError:
    return git_error(GitReason.SIGNATURE_KEYS_UNUSABLE, f"the property 'openpgpKeys' cannot be used: {why}")
