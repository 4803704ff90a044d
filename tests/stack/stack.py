"""The stack of docker-compose.yml as an operator runs it, in its own project, with a git server."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker

from tests.support.servers.certificates import make_certificates
from tests.support.servers.repositories import WorkRepo

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("kiok", "kiok-database", "kiok-engine")
BUILD_SECONDS = 1500
UP_SECONDS = 600
GIT_PORT = 8443
# Of this suite's own environment nothing may reach the stack, which is configured by its file alone.
_KEPT = ("KIOK_BASE_IMAGE", "KIOK_DEBIAN_MIRROR", "KIOK_JDK", "KIOK_BUILD_CA", "KIOK_BUILD_PIP_CONF")
_OURS = ("KIOK_", "COMPOSE_", "DATABASE_URL", "DJANGO_")


class Unavailable(Exception):
    """The web server answers, but cannot do its work: as long as its database restarts."""


class Stack:
    """Images, secrets, project; everything of it is labelled with its name. Nothing is made before `build`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is empty and private; in it are the secrets, the images for the engine and the repository."""
        self.name = f"kiok-test-{secrets.token_hex(4)}"
        self.folder = folder
        self.repository = WorkRepo(folder / "served")
        self.token = ""
        self._address = ""
        self._environment = {
            **{k: v for k, v in os.environ.items() if k in _KEPT or not k.startswith(_OURS)},
            "KIOK_TAG": self.name,
            "KIOK_COMPOSE_DIR": str(folder / "compose"),
            "KIOK_PUBLISH": "127.0.0.1:",  # any free port
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}:{self._override()}",
        }

    def _override(self) -> Path:
        """The additions of the test: a git server on https, trusted by its authority and allowed though its address is
        private; health checks every two seconds."""
        state = self.folder / "git-server"
        state.mkdir(mode=0o700)
        make_certificates(state, state / "ca.pem", "git")
        soon = {"healthcheck": {"interval": "2s", "retries": 90}}
        git = {
            "image": f"kiok:{self.name}",
            "init": True,
            "user": f"{os.getuid()}:{os.getgid()}",
            "cap_drop": ["ALL"],
            "entrypoint": ["python", "-m", "tests.stack.git_server"],
            "environment": {"PYTHONPATH": "/srv"},
            "volumes": [
                f"{ROOT}/tests:/srv/tests:ro",
                f"{self.repository.bare.parent}:/repositories:ro",
                f"{state}:/state:ro",
            ],
            "networks": ["outside"],
        }
        trusting = {"volumes": [f"{state}/ca.pem:/authority.pem:ro"]}
        path = self.folder / "override.yml"
        services = {"git": git, "db": soon, "engine": soon, "migrate": trusting}
        services |= dict.fromkeys(("web", "worker"), trusting)
        path.write_text(json.dumps({"services": services}))
        return path

    @property
    def url(self) -> str:
        """Return the URL of the repository for the stack."""
        return f"https://git:{GIT_PORT}/{self.repository.bare.name}"

    def build(self) -> None:
        """Secrets, properties, images: what an operator does first."""
        self._run(str(ROOT / "scripts" / "compose-secrets.sh"), seconds=600)
        properties = self.folder / "compose" / "kiok.properties"
        with properties.open("a") as file:
            file.write(
                "kiok.gitsync.interval.ms = 1000\n"
                "kiok.sandbox.pool.size = 0\n"
                "kiok.workers = 2\n"
                "kiok.gitsync.ssl.ca.info = /authority.pem\n"
                "kiok.gitsync.allow.private.hosts = git\n"
            )
        self._run(str(ROOT / "scripts" / "compose-images.sh"), seconds=BUILD_SECONDS)

    def secrets(self) -> list[str]:
        """Return the content of each file of a secret."""
        folder = self.folder / "compose"
        return [
            path.read_text()
            for path in folder.iterdir()
            if path.suffix in (".key", ".token", ".password", ".url")
        ]

    def compose(self, *arguments: str, seconds: float = 600) -> str:
        """Return the output of `docker compose`; fail the test with it and the last output of the services."""
        return self._run("docker", "compose", *arguments, seconds=seconds)

    def up(self, *arguments: str) -> None:
        """Start the services that do not run, and wait until all are healthy."""
        self.compose("up", "--detach", "--wait", *arguments, seconds=UP_SECONDS)
        self._address = self.compose("port", "web", "8000").strip()

    def restart(self, service: str) -> None:
        """End a service's containers as `docker compose stop` does, and start them again; does not wait for more."""
        self.compose("restart", service)
        self._address = self.compose("port", "web", "8000").strip()

    def ask(self, service: str, *command: str) -> str:
        """Return the output of a command in a service's first container."""
        return self.compose("exec", "-T", service, *command)

    def check_and_make_token(self) -> None:
        """Assert that `manage.py check --deploy` finds nothing, and create a superuser with a token, for `api`."""
        program = (
            "from datetime import timedelta; from django.contrib.auth.models import User\n"
            "from django.core.management import call_command\n"
            "from django.utils import timezone; from gitsync.models import token_text; from gitsync.models import ApiToken\n"
            "call_command('check', deploy=True, fail_level='WARNING', verbosity=0)\n"
            "made = token_text.new()\n"
            "ApiToken.objects.create(user=User.objects.create_superuser('ada'), name='test', digest=made.digest,\n"
            "    start=made.start, scopes=['read', 'write'], expires_at=timezone.now() + timedelta(days=1))\n"
            "print(made.text)"
        )
        output = self.ask("web", "python", "manage.py", "shell", "-v", "0", "-c", program).splitlines()
        assert output[:-1] in ([], ["System check identified no issues (2 silenced)."]), output[:-1]
        self.token = output[-1]

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, bytes]:
        """Status, headers and content of the web server's answer, past any proxy. Redirects are not followed."""
        request = urllib.request.Request(
            f"http://{self._address}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.headers, exc.read()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Return the API's response to a proxy with https. Raise OSError or Unavailable if there is none."""
        headers = {"Authorization": f"Bearer {self.token}", "X-Forwarded-Proto": "https"}
        status, _, content = self.request(method, f"/api/v1/{path}", body, **headers)
        if status >= 500:
            raise Unavailable(f"{status}: {content.decode(errors='replace')[:500]}")
        assert status in (200, 201), (status, content)
        return json.loads(content)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return the engine's description of each running container, by service and number: `worker-1`."""
        client = docker.from_env()
        try:
            found = client.containers.list(filters={"label": f"com.docker.compose.project={self.name}"})
            return {one.name.removeprefix(f"{self.name}-"): one.attrs for one in found}
        finally:
            client.close()

    def down(self) -> None:
        """Take it down with its data, and remove its images."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        for image in IMAGES:
            subprocess.run(["docker", "image", "rm", f"{image}:{self.name}"], capture_output=True)

    def left(self) -> list[str]:
        """Return the leftovers of the stack: containers, volumes, networks, images, also those without a name."""
        filters = {"label": f"com.docker.compose.project={self.name}"}
        client = docker.from_env()
        try:
            return [
                *(one.name for one in client.containers.list(all=True, filters=filters)),
                *(one.name for one in client.volumes.list(filters=filters)),
                *(one.name for one in client.networks.list(filters=filters)),
                *(str(one) for one in client.images.list(filters=filters)),
            ]
        finally:
            client.close()

    def _run(self, *command: str, seconds: float) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        if done.returncode:
            logs = ["docker", "compose", "logs", "--no-color", "--tail", "25"]
            logged = subprocess.run(
                logs, cwd=ROOT, env=self._environment, capture_output=True, text=True
            ).stdout
            raise AssertionError(
                f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}\n{logged}"
            )
        return done.stdout


def wait_until(condition: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Check the condition twice a second until it holds. Fail the test after `seconds`, with the reason."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what()}"
        time.sleep(0.5)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None
