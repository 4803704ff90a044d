"""The product that answers as the engine, Docker Engine or Podman, and the oldest version of it that is supported."""

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
    """An engine's product and the version that the product counts by."""

    name: str
    version: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Product:
        """Return the product that gave this answer to `/version`."""
        for component in answer.get("Components") or ():
            if component.get("Name") == _PODMAN_COMPONENT:
                return cls(PODMAN, str(component.get("Version") or "unknown"))
        return cls(DOCKER, str(answer.get("Version") or "unknown"))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def is_podman(self) -> bool:
        """Tell whether the engine is Podman."""
        return self.name == PODMAN

    @property
    def required(self) -> str:
        """Return the versions that are supported, for people: `Podman 4.3 or later`."""
        return f"{self.name} {'.'.join(map(str, OLDEST[self.name]))} or later"

    @property
    def is_supported(self) -> bool:
        """Tell whether the version is one that is supported; an unreadable one is not."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version)
        return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST[self.name]
