"""The product behind the engine's API, Docker Engine or Podman, and its oldest supported version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DOCKER = "Docker Engine"
PODMAN = "Podman"
OLDEST: Mapping[str, tuple[int, int]] = {DOCKER: (20, 10), PODMAN: (4, 3)}

# https://github.com/containers/podman/blob/v4.3.1/pkg/api/handlers/compat/version.go
_PODMAN_COMPONENT = "Podman Engine"


@dataclass(frozen=True, slots=True)
class Product:
    """An engine's product, with the product's own version."""

    name: str
    version: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Product:
        """Return the product that sent this response to `/version`."""
        for component in answer.get("Components") or ():
            if component.get("Name") == _PODMAN_COMPONENT:
                return cls(PODMAN, str(component.get("Version") or "unknown"))
        return cls(DOCKER, str(answer.get("Version") or "unknown"))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def is_podman(self) -> bool:
        """Return whether the engine is Podman."""
        return self.name == PODMAN

    @property
    def required(self) -> str:
        """Return the supported versions, for people: `Podman 4.3 or later`."""
        return f"{self.name} {'.'.join(map(str, OLDEST[self.name]))} or later"

    @property
    def is_supported(self) -> bool:
        """Return whether the version is supported; an unreadable one is not."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version)
        return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST[self.name]
