"""The credential of a repository, and its handover to one git process.

Secrets go into a private file that only ssh is pointed to (the key) or into the environment of that one process. They
never go into arguments, urls or git's configuration.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.pasted_secrets import is_encrypted, normalized_key, wrong_ends, wrong_token
from gitsync.git.private_directory import call_directory, sweep_stale, write_private
from gitsync.git.url import RemoteUrl

TOKEN_USERNAME = "x-access-token"  # noqa: S105  what GitHub and others expect with a token; no secret
CONNECT_TIMEOUT_SECONDS = 15

# Answers the prompts of git and ssh, but only for the host (or key) that this process has a credential for.
# Kind `key` is for the ssh-keygen that checks whether a passphrase belongs to the key; its prompt names no key.
# Prompts: `Username for 'https://host': `, `Password for 'https://user@host': `.
ASKPASS_SCRIPT = """\
#!/bin/sh
[ -n "$KIOK_ASK_SUBJECT" ] || exit 1
at="$KIOK_ASK_SUBJECT"
from="$KIOK_ASK_SCHEME://"
case "$KIOK_ASK_KIND:$1" in
  "http:Username for '$from$at': ") printf '%s\\n' "$KIOK_ASK_USERNAME" ;;
  "http:Password for '$from"*"@$at': ") printf '%s\\n' "$KIOK_ASK_SECRET" ;;
  "ssh:Enter passphrase for key '$at': ") printf '%s\\n' "$KIOK_ASK_SECRET" ;;
  "key:Enter passphrase: ") printf '%s\\n' "$KIOK_ASK_SECRET" ;;
  *) exit 1 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class SshCredential:
    """An SSH credential: a private key, the accepted host keys, and the login name (None: `git`)."""

    private_key: str = field(repr=False)
    known_hosts: str = field(default="", repr=False)
    passphrase: str | None = field(default=None, repr=False)
    username: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be shown."""
        return (self.private_key, *((self.passphrase,) if self.passphrase else ()))


@dataclass(frozen=True, slots=True)
class HttpCredential:
    """A user name and a password or token for https."""

    username: str
    password: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be shown."""
        return (self.password,)


Credential = SshCredential | HttpCredential


def credential_from_properties(properties: Mapping[str, str], url: RemoteUrl) -> Credential:
    """Return the credential for a url from the properties of a connection.

    For ssh: `privateKey`, `knownHosts`, optionally `passphrase` and `username`. For https: `username` and
    `password`, or `token` with an optional `username` (default `x-access-token`). For both, `hosts` limits the hosts
    that the credential is sent to: `host` or `host:port`, separated by spaces or commas. A blank property counts as
    absent. Raises GitError (CREDENTIAL_INVALID), which names the missing or unusable property and never a secret value.
    """
    given = {key: value for key, value in properties.items() if value.strip()}
    hosts = set(given.get("hosts", "").replace(",", " ").lower().split())
    # A user who edits the url of a repository must not be able to send its credential to another server.
    if "hosts" in given and not {url.authority.lower(), url.authority_without_port.lower()} & hosts:
        raise _invalid(
            f"the connection's 'hosts' do not include {url.authority}, so its credential is not sent there"
        )
    if url.scheme == "ssh":
        return _ssh_credential(given)
    if url.scheme not in ("https", "http"):
        raise _invalid(f"a {url.scheme} url takes no credential. Remove the connection from the repository")
    token, password = given.get("token"), given.get("password")
    if token and password:
        raise _invalid("the connection has both 'token' and 'password'. Keep one of them")
    username = given.get("username") or url.user or (TOKEN_USERNAME if token else None)
    if username is None:
        raise _invalid("the connection has no 'username', which an https url needs with 'password'")
    secret = token or password
    if secret is None:
        raise _invalid("the connection has neither 'password' nor 'token'. An https url needs one of them")
    for name, value in (("username", username), ("token" if token else "password", secret)):
        # git's credential protocol has one value per line.
        if any(character in value.strip() for character in "\r\n\0"):
            raise _invalid(f"the property '{name}' contains a line break or NUL")
    # A multi-line value ends with a line break, see kiok.connections.property_text.
    secret = secret.strip("\r\n")
    if wrong := wrong_token(secret) if token else wrong_ends(secret):
        raise _invalid(f"the property '{'token' if token else 'password'}' {wrong}")
    return HttpCredential(username.strip(), secret)


@dataclass(frozen=True, slots=True)
class Handover:
    """The handover of a credential to one git process: environment variables and files.

    ssh writes the host key that the server presents to `host_key_note`. `locked_key` is the file of a private key that
    needs a passphrase.
    """

    environment: Mapping[str, str]
    host_key_note: Path | None = None
    locked_key: Path | None = None

    def presented_host_key(self) -> str | None:
        """Return `<type> <base64>` of the presented host key if knownHosts does not contain it."""
        if self.host_key_note is None:
            return None
        try:
            return self.host_key_note.read_text(encoding="ascii").strip() or None
        except (OSError, UnicodeDecodeError):
            return None


@contextlib.contextmanager
def hand_over(
    credential: Credential | None, url: RemoteUrl, *, root: Path, askpass: Path, address: str | None
) -> Iterator[Handover]:
    """Make a credential available to one git process for this url, and remove it at the end of the block.

    `root` is the parent of the per-call directories, `askpass` the installed `ASKPASS_SCRIPT`, `address` the checked
    address that ssh must connect to (None: ssh resolves the name).
    """
    asking = {"GIT_ASKPASS": str(askpass), "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"}
    if url.scheme == "ssh":
        if not isinstance(credential, SshCredential):
            raise _invalid("an ssh url needs a connection with 'privateKey' and 'knownHosts'")
        with call_directory(root) as directory:
            key, known_hosts, note = (directory / name for name in ("key", "known_hosts", "presented"))
            write_private(key, credential.private_key)
            write_private(known_hosts, credential.known_hosts)
            if credential.passphrase:
                asking |= {
                    "KIOK_ASK_KIND": "ssh",
                    "KIOK_ASK_SUBJECT": str(key),
                    "KIOK_ASK_SECRET": credential.passphrase,
                }
            command = _ssh_command(credential, url, key, known_hosts, note, address)
            yield Handover(
                asking | {"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"},
                note,
                key if credential.passphrase else None,
            )
        return
    if credential is None:
        yield Handover(asking)
        return
    if url.scheme not in ("https", "http") or not isinstance(credential, HttpCredential):
        raise _invalid(f"the connection's credential does not fit a {url.scheme} url")
    yield Handover(
        asking
        | {
            "KIOK_ASK_KIND": "http",
            "KIOK_ASK_SCHEME": url.scheme,
            "KIOK_ASK_SUBJECT": url.authority,
            "KIOK_ASK_USERNAME": credential.username,
            "KIOK_ASK_SECRET": credential.password,
        }
    )


def known_hosts_name(url: RemoteUrl) -> str:
    """Return the name of the url's host in a known_hosts file: `host` or `[host]:port`."""
    return url.host if url.port_or_default == 22 else f"[{url.host}]:{url.port}"


def _ssh_command(
    credential: SshCredential, url: RemoteUrl, key: Path, known_hosts: Path, note: Path, address: str | None
) -> str:
    # ssh runs this command with the key that the server presents. It writes the key down and accepts none. The tokens
    # %I, %t and %K are documented in ssh_config(5), TOKENS. OpenSSH before 8.5 does not have KnownHostsCommand.
    noting = f"""/bin/sh -c '[ "$1" = HOSTNAME ] && echo "$2 $3" >"$0"; :' {_quoted(note)} %I %t %K"""
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": known_hosts_name(url),
        "CheckHostIP": "no",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "IgnoreUnknown": "KnownHostsCommand",
        "KnownHostsCommand": noting,
        # Batch mode would not prompt for the passphrase. Its other effects are set one by one.
        "BatchMode": "no" if credential.passphrase else "yes",
        "PreferredAuthentications": "publickey",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "NumberOfPasswordPrompts": "1",
        "ConnectTimeout": str(CONNECT_TIMEOUT_SECONDS),
        "ConnectionAttempts": "1",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "2",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "RequestTTY": "no",
        "LogLevel": "INFO",
    }
    if address is not None:
        options["HostName"] = address
    words = ["ssh", "-F", "/dev/null", "-i", str(key).replace("%", "%%")]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    if url.user is None:
        words += ["-l", credential.username or "git"]
    return shlex.join(words)


def _quoted(path: Path) -> str:
    """Return a path as the value of an ssh option: quoted against white space, `%` escaped against token expansion."""
    return '"' + str(path).replace("%", "%%") + '"'


def _ssh_credential(given: Mapping[str, str]) -> SshCredential:
    key = given.get("privateKey")
    if key is None:
        raise _invalid("the connection has no 'privateKey', which an ssh url needs")
    try:
        key = normalized_key(key)
    except ValueError as exc:
        raise _invalid(f"the property 'privateKey' {exc}") from exc
    passphrase = given.get("passphrase")
    if passphrase is not None and any(character in passphrase for character in "\r\n\0"):
        raise _invalid("the property 'passphrase' contains a line break or NUL")
    if passphrase is None and is_encrypted(key):
        raise _invalid("the private key needs a passphrase, and the connection has no 'passphrase'")
    username = given.get("username")
    if username is not None and (username.startswith("-") or not username.isprintable() or " " in username):
        raise _invalid("the property 'username' is not a login name")
    known_hosts = given.get("knownHosts", "").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in known_hosts:
        raise _invalid("the property 'knownHosts' contains NUL")
    if "\\n" in known_hosts:
        raise _invalid(r"the property 'knownHosts' contains the two characters \n instead of line breaks")
    return SshCredential(key, known_hosts.rstrip("\n") + "\n", passphrase, username)


def _invalid(message: str) -> GitError:
    return git_error(GitReason.CREDENTIAL_INVALID, message)


__all__ = [
    "ASKPASS_SCRIPT",
    "Credential",
    "Handover",
    "HttpCredential",
    "SshCredential",
    "credential_from_properties",
    "hand_over",
    "known_hosts_name",
    "sweep_stale",
]
