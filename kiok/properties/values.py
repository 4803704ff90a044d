"""The values of all properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kiok.properties.declared import DeclaredRepository, InvalidDeclaration
from kiok.properties.gitsync import GitSyncProperties
from kiok.properties.notification import NotificationProperties
from kiok.properties.property import attribute_of
from kiok.properties.risk import Risk
from kiok.properties.sandbox import SandboxProperties
from kiok.properties.service import ServiceProperties
from kiok.properties.storage import StorageProperties
from kiok.properties.web import WebProperties


# A dataclass has the fields of its last base first: the table begins with Git Sync's.
@dataclass(frozen=True)
class Properties(
    ServiceProperties,
    NotificationProperties,
    WebProperties,
    SandboxProperties,
    StorageProperties,
    GitSyncProperties,
):
    """Validated values of all properties. `sources` says where each was read, `warnings` lists likely mistakes.

    `invalid_repositories` are the problems of declared repositories that cannot be used; their names, if they have
    one, are in neither `gitsync_repos` nor `file_repositories`.
    """

    file_repositories: tuple[DeclaredRepository, ...] = ()
    invalid_repositories: tuple[InvalidDeclaration, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def repositories(self) -> tuple[DeclaredRepository, ...]:
        """All declared repositories: those of the property, then those of the file. Names are distinct."""
        return self.gitsync_repos + self.file_repositories

    def get(self, name: str) -> Any:
        """Return the value of a property by its full name. Raises KeyError for an unknown name."""
        try:
            return getattr(self, attribute_of(name))
        except AttributeError:
            raise KeyError(name) from None

    @property
    def requires_sandbox_limits(self) -> bool:
        """False if `kiok.allow.insecure` accepts containers whose memory or processes are not limited."""
        return Risk.SANDBOX_LIMITS not in self.allow_insecure
