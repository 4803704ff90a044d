"""Engines: reached in every possible way, and a helpful message when none is."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import certifi
import docker
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from docker.errors import APIError
from requests import Response

from compilers.formats.python import PYTHON
from compilers.sandbox.base import CompileOutcome, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.protocol import VERSION
from tests.sandbox.conftest import JobOf
from tests.support.engine_socket import ENGINE_SOCKET
from tests.support.images import image_from

TALKATIVE = "print('x' * 5000)\nimport os\nos.write(3, b'[' + b'1,' * 300_000 + b'1]')\nos._exit(0)\n"


def pump(client: socket.socket, engine: socket.socket) -> None:
    """Forward bytes in both directions until one side ends."""
    with client, engine:
        ends = {client: engine, engine: client}
        while True:
            pending = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if pending else select.select(list(ends), [], [])[0]
            for one in ready:
                with suppress(OSError):
                    if data := one.recv(1 << 16):
                        ends[one].sendall(data)
                        continue
                return


@contextmanager
def proxy(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Expose this machine's engine on a TCP port, with TLS if there is a context."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                    if context is not None:
                        client = context.wrap_socket(client, server_side=True)
                except ssl.SSLError:
                    continue
                except OSError:
                    return
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(ENGINE_SOCKET)
                threading.Thread(target=pump, args=(client, engine), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield listener.getsockname()[1]


def certificate(folder: Path) -> ssl.SSLContext:
    """Return a self-signed certificate that is its own authority, for server and client."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    for file in ("ca.pem", "cert.pem"):
        (folder / file).write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def check(sandbox: DockerSandbox, job: SandboxJob) -> None:
    results = list(sandbox.run(job))
    assert [(result.outcome, len(result.payload)) for result in results] == [(CompileOutcome.OK, 600_003)] * 3
    assert all(result.output == "x" * 5000 + "\n" for result in results)


def test_an_engine_behind_tcp_works(
    python_image: str, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        check(DockerSandbox(SandboxConfig({PYTHON: python_image})), job_of(dict.fromkeys("abc", TALKATIVE)))


def test_an_engine_behind_tls_works(
    python_image: str, job_of: JobOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with proxy(certificate(tmp_path)) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        # Public authorities, as set on many machines; they do not certify an engine.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
        check(DockerSandbox(SandboxConfig({PYTHON: python_image})), job_of(dict.fromkeys("abc", TALKATIVE)))


@pytest.mark.parametrize(
    ("host", "cause"),
    [
        ("unix:///nowhere/docker.sock", "No such file"),
        ("tcp://127.0.0.1:1", "refused"),
        ("nonsense://x", "nonsense"),
    ],
)
def test_an_engine_that_does_not_answer_is_named_with_cause_and_remedy(
    job_of: JobOf, monkeypatch: pytest.MonkeyPatch, host: str, cause: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SandboxUnavailable) as raised:
        next(DockerSandbox(SandboxConfig({PYTHON: "kiok-sandbox-python:dev"})).run(job_of({"a.py": ""})))
    message = str(raised.value)
    assert f"DOCKER_HOST={host}" in message
    assert cause in message
    assert "systemctl start docker" in message
    assert "set DOCKER_HOST" in message


def test_a_long_refusal_keeps_its_beginning_and_its_end() -> None:
    class Refusing(Response):
        status_code = 500

    engine = DockerSandbox(SandboxConfig()).engine
    options = '{"defaultAction": "SCMP_ACT_ERRNO"}, ' * 5000
    with pytest.raises(SandboxUnavailable) as raised, engine.answering():
        raise APIError("", Refusing(), f"container create: {options}: invalid options")
    message = str(raised.value)
    assert len(message) < 800
    assert "refused the request: container create: {" in message
    assert message.endswith(": invalid options")
    assert "characters ...]" in message


def test_an_image_that_is_missing_is_named_with_its_property_and_remedy(job_of: JobOf) -> None:
    sandbox = DockerSandbox(SandboxConfig({PYTHON: "kiok-no-such-image:1"}))
    with pytest.raises(SandboxUnavailable) as raised:
        next(sandbox.run(job_of({"a.py": ""})))
    assert "'kiok-no-such-image:1'" in str(raised.value)
    assert "make images" in str(raised.value)
    assert "kiok.sandbox.image.python" in str(raised.value)


def test_an_image_of_another_protocol_is_refused(
    python_image: str, engine: docker.DockerClient, job_of: JobOf
) -> None:
    made = engine.api.create_container(python_image, labels={"kiok.protocol": "0"})
    tag = f"kiok-test-image:{secrets.token_hex(8)}"
    try:
        engine.api.commit(made, *tag.split(":"), conf={"Labels": {"kiok.protocol": "0"}})
        with pytest.raises(SandboxUnavailable, match=f"speaks sandbox protocol 0, this service {VERSION}"):
            next(DockerSandbox(SandboxConfig({PYTHON: tag})).run(job_of({"a.py": ""})))
    finally:
        engine.api.remove_container(made["Id"])
        engine.api.remove_image(tag, force=True)


def test_an_image_without_the_driver_is_unavailable(python_image: str, job_of: JobOf) -> None:
    with (
        image_from(python_image, "USER 0\nRUN rm /opt/kiok/bin/driver-python") as image,
        pytest.raises(SandboxUnavailable, match="driver-python"),
    ):
        next(DockerSandbox(SandboxConfig({PYTHON: image})).run(job_of({"a.py": ""})))


def test_an_image_with_another_program_still_runs_the_driver(python_image: str, job_of: JobOf) -> None:
    with image_from(python_image, 'ENTRYPOINT ["/bin/false"]\nCMD ["/bin/true"]') as image:
        (result,) = DockerSandbox(SandboxConfig({PYTHON: image})).run(job_of({"a.py": ""}))
    assert result.outcome is CompileOutcome.OK


def test_a_runtime_that_the_engine_does_not_know_is_unavailable(python_image: str, job_of: JobOf) -> None:
    sandbox = DockerSandbox(SandboxConfig({PYTHON: python_image}, runtime="no-such-runtime"))
    with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
        next(sandbox.run(job_of({"a.py": ""})))


def test_an_image_replaced_before_the_start_is_retried(python_image: str, job_of: JobOf) -> None:
    sandbox = DockerSandbox(SandboxConfig(images={PYTHON: python_image}))
    sandbox.image_digest(PYTHON)
    # The engine's recent answer is no longer true.
    sandbox.engine._digests[python_image] = (time.monotonic(), "sha256:" + "0" * 64)
    with pytest.raises(SandboxUnavailable, match="is retried"):
        list(sandbox.run(job_of({"a.py": "x = 1\n"})))
    assert [result.path for result in sandbox.run(job_of({"a.py": "x = 1\n"}))] == ["a.py"]


CONNECTIONS = """
import os
from contextlib import suppress
import docker
from compilers.sandbox.docker import DockerSandbox

def sockets():
    links = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith("socket:") for link in links)

client = DockerSandbox().engine.client()
client.ping()
before = sockets()
for number in range(30):
    with suppress(docker.errors.NotFound):
        raise SystemExit(client.inspect_container(f"kiok-test-that-is-not-there-{number}"))
print(before, sockets())
"""


def test_a_thread_keeps_one_connection_for_any_number_of_containers() -> None:
    # In a separate process: in this one, threads of other tests may still be ending, with their connections.
    ran = subprocess.run([sys.executable, "-c", CONNECTIONS], capture_output=True, text=True, check=True)
    assert ran.stdout == "1 1\n", ran.stderr


def test_each_thread_has_one_client_and_requests_the_version_once(
    python_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[object] = []
    version = docker.APIClient.version

    def counted(self: docker.APIClient, **options: object) -> object:
        requested.append(self)
        return version(self, **options)

    monkeypatch.setattr(docker.APIClient, "version", counted)
    engine = DockerSandbox(SandboxConfig({PYTHON: python_image})).engine
    ours = engine.client()
    others: list[docker.APIClient] = []
    threads = [threading.Thread(target=lambda: others.append(engine.client())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.client() is ours
    assert len({id(client) for client in (ours, *others)}) == 4
    assert {client.api_version for client in others} == {ours.api_version}
    assert len(requested) == 1
