"""Read-only admin pages of the metadata store."""

from kiok.metadata.admin.dag import DagAdmin
from kiok.metadata.admin.provenance import link_commits, link_repositories, link_sources
from kiok.metadata.admin.run import DagRunAdmin
from kiok.metadata.admin.version import DagVersionAdmin

__all__ = [
    "DagAdmin",
    "DagRunAdmin",
    "DagVersionAdmin",
    "link_commits",
    "link_repositories",
    "link_sources",
]
