"""Properties of polls, syncs, webhooks and declared repositories (`kiok.gitsync.*`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kiok.properties import declared, parsers
from kiok.properties.declared import DeclaredRepository
from kiok.properties.parsers import BOOLEAN, FILE, Parser, integer, one_of, words
from kiok.properties.property import MIB, byte_count, milliseconds, row

REPOSITORIES: Parser[tuple[DeclaredRepository, ...]] = Parser(
    "name|url|ref|subpath[|credentialConnectionId], separated by commas",
    declared.parse_list,
    declared.show_list,
)


@dataclass(frozen=True)
class GitSyncProperties:
    """Properties of polls, syncs, webhooks and declared repositories (`kiok.gitsync.*`)."""

    gitsync_enabled: bool = row(
        "kiok.gitsync.enabled", BOOLEAN, True, "Poll repositories at their interval and sync new commits."
    )
    gitsync_interval_ms: int = row(
        "kiok.gitsync.interval.ms", milliseconds(1000), 60_000, "Time between two polls of a repository."
    )
    gitsync_repos: tuple[DeclaredRepository, ...] = row(
        "kiok.gitsync.repos", REPOSITORIES, (), "Declared repositories; read-only in the admin."
    )
    gitsync_repos_file: Path | None = row(
        "kiok.gitsync.repos.file", FILE, None, "YAML file that declares more repositories."
    )
    gitsync_repos_allow_empty: bool = row(
        "kiok.gitsync.repos.allow.empty",
        BOOLEAN,
        False,
        "Remove declared repositories with their DAGs when the property or file that declared them is empty; false: keep.",
    )
    gitsync_allow_protocols: tuple[str, ...] = row(
        "kiok.gitsync.allow.protocols",
        words(
            "https, ssh; for tests and demos also http, file, git",
            one_of("https", "ssh", "http", "file", "git"),
        ),
        ("https", "ssh"),
        "Protocols that git may use.",
    )
    gitsync_allow_private_hosts: tuple[str, ...] = row(
        "kiok.gitsync.allow.private.hosts",
        words("host names, addresses and networks, separated by commas", parsers.host_or_network),
        (),
        "Hosts and networks with private, loopback or link-local addresses that repositories may be on.",
    )
    gitsync_git_timeout_ms: int = row(
        "kiok.gitsync.git.timeout.ms", milliseconds(1000), 60_000, "Time limit of one git command."
    )
    gitsync_ssl_ca_info: Path | None = row(
        "kiok.gitsync.ssl.ca.info",
        FILE,
        None,
        "CA certificates (PEM) for https remotes; empty: the system's.",
    )
    gitsync_max_tree_bytes: int = row(
        "kiok.gitsync.max.tree.bytes",
        byte_count(1),
        256 * MIB,
        "Maximum total size of the files of a commit.",
    )
    gitsync_max_files: int = row(
        "kiok.gitsync.max.files", integer(1), 50_000, "Maximum number of files in a commit."
    )
    gitsync_max_file_bytes: int = row(
        "kiok.gitsync.max.file.bytes", byte_count(1), 32 * MIB, "Maximum size of a file that is read."
    )
    gitsync_max_path_bytes: int = row(
        "kiok.gitsync.max.path.bytes",
        integer(64, 1024, "bytes"),
        1024,
        "Maximum length of a path that is read, in UTF-8.",
    )
    gitsync_max_dags: int = row(
        "kiok.gitsync.max.dags", integer(1), 10_000, "Maximum number of DAGs in one repository."
    )
    gitsync_parallelism: int = row(
        "kiok.gitsync.parallelism",
        integer(1, 256),
        8,
        "Maximum number of remotes polled at the same time.",
    )
    gitsync_host_parallelism: int = row(
        "kiok.gitsync.host.parallelism",
        integer(1, 256),
        4,
        "Maximum number of remotes on one host polled at the same time.",
    )
    gitsync_sync_timeout_ms: int = row(
        "kiok.gitsync.sync.timeout.ms",
        milliseconds(10_000),
        600_000,
        "Time limit of one sync, all steps included.",
    )
    gitsync_max_syncs: int = row(
        "kiok.gitsync.max.syncs",
        integer(0, 10_000),
        0,
        "Maximum number of concurrent syncs across all machines; 0: one for each worker process.",
    )
    gitsync_host_syncs: int = row(
        "kiok.gitsync.host.syncs",
        integer(0, 10_000),
        0,
        "Maximum number of concurrent syncs of repositories on one host; 0: no limit.",
    )
    gitsync_webhook_max_bytes: int = row(
        "kiok.gitsync.webhook.max.bytes",
        byte_count(1024),
        MIB,
        "Maximum size of the body of a webhook request.",
    )
