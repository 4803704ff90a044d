"""The socket of the Docker engine that the tests run on."""

from __future__ import annotations

import os

# DOCKER_HOST names another engine; one that is reached by TCP has no socket to test with.
ENGINE_SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
