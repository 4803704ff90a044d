"""Repositories with marked secrets: for each, the reason that its syncs end with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.conftest import yaml_dag
from tests.support.canary import BREAKS_THE_DATABASE, BREAKS_UNEXPECTEDLY
from tests.support.canary.echoing_server import ASKED_REF, EchoingServer
from tests.support.canary.marks import Marks
from tests.support.servers.https import Fault
from tests.support.servers.repositories import WorkRepo
from tests.support.servers.ssh import SshServer

# Says all it can of where it runs, long enough for the engine to be asked about it.
TELLING_DAG = """
import os, sys, time
from kiok import Dag
for path in ("/proc/self/environ", "/proc/1/environ", "/proc/self/cmdline", "/proc/1/cmdline", "/proc/mounts"):
    try:
        print(path, open(path, "rb").read()[:1500], file=sys.stderr)
    except OSError as exc:
        print(path, exc, file=sys.stderr)
print(dict(os.environ), os.listdir("/"), os.listdir("/tmp"), file=sys.stderr, flush=True)
time.sleep(4)
raise RuntimeError("this is all that is here")
"""


@dataclass
class Scene:
    """A repository, its credential, and the reason its syncs come to."""

    url: str
    properties: Mapping[str, str]
    reason: str
    ref: str = "main"


@dataclass
class Stage:
    """Servers, repositories, and where the service keeps its data."""

    marks: Marks
    root: Path
    server: EchoingServer
    scenes: dict[str, Scene] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"


def set_ssh_scenes(stage: Stage, server: SshServer, slow: SshServer) -> None:
    marks = stage.marks
    repo = WorkRepo(stage.root / "served", "over-ssh.git")
    repo.publish({"a.yaml": yaml_dag("a")})

    def add(name: str, reason: str, key: str, at: SshServer = server, **more: str) -> None:
        marks.add_key(key)
        properties = {"privateKey": key, "knownHosts": at.known_hosts, **more}
        stage.scenes[name] = Scene(at.url(repo.bare), properties, reason)

    add("sshkey", "", server.client_key("plain"))
    passphrase = marks.secret("sshpassphrase")
    add("sshpassphrase", "", server.client_key("protected", passphrase=passphrase), passphrase=passphrase)
    add("sshunknownhost", "host_key_unknown", server.client_key("unknown"), knownHosts="")
    add("sshrefused", "authentication_failed", server.client_key("refused", authorize=False))
    wrong = marks.secret("sshwrongpassphrase")
    key = server.client_key("wrong", passphrase="something else")
    add("sshwrongpassphrase", "credential_invalid", key, passphrase=wrong)
    passphrase = marks.secret("sshslow")
    add("sshslow", "timeout", slow.client_key("slow", passphrase=passphrase), slow, passphrase=passphrase)


def set_https_scenes(stage: Stage) -> None:
    marks, server = stage.marks, stage.server
    repo = WorkRepo(stage.root / "served", "over-https.git")
    repo.publish({"a.yaml": yaml_dag("a"), "telling.py": TELLING_DAG})
    server.faults = {"hangs.git": Fault.HANG, "unavailable.git": Fault.UNAVAILABLE}
    for name in (BREAKS_UNEXPECTEDLY, BREAKS_THE_DATABASE):
        WorkRepo(stage.root / "served", name).publish({"a.yaml": yaml_dag("a")})

    def add(name: str, path: str, reason: str, ref: str = "main") -> None:
        secret = marks.secret(name)
        server.accounts[name] = secret
        stage.scenes[name] = Scene(server.url(path), {"username": name, "password": secret}, reason, ref)

    add("httpspassword", "over-https.git", "files_failed")
    add("httpsmissingref", "over-https.git", "ref_missing", "nosuchbranch")
    add("httpsslow", "hangs.git", "timeout")
    add("httpsunavailable", "unavailable.git", "server_error")
    add("echoforbidden", "echo-403/x.git", "authentication_failed")
    add("echomissing", "echo-404/x.git", "repository_not_found")
    add("echofailure", "echo-500/x.git", "server_error")
    add("echoredirect", "echo-redirect/x.git", "redirect_refused")
    add("echoerror", "echo-error/x.git", "unknown")
    add("echorefs", "echo-refs/x.git", "ref_missing", ASKED_REF)
    add("breaksunexpectedly", BREAKS_UNEXPECTEDLY, "internal")
    add("breaksthedatabase", BREAKS_THE_DATABASE, "")
    add("httpswrong", "over-https.git", "authentication_failed")
    server.accounts["httpswrong"] = "another one"
    token = marks.secret("httpstoken")
    server.accounts["x-access-token"] = token
    stage.scenes["httpstoken"] = Scene(server.url("over-https.git"), {"token": token}, "files_failed")
