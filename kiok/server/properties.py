# ruff: noqa: RUF009 - `_property` makes dataclass fields, one per call
"""Table of all properties of kiok: name, type, default, description.

A property `kiok.gitsync.interval.ms` is `KIOK_GITSYNC_INTERVAL_MS` in the environment and, in Python,
`settings.KIOK.gitsync_interval_ms`. kiok.server.property_sources reads the values.

Secrets are not properties: see kiok.server.keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from kiok.server import declared, keys, parsers
from kiok.server.declared import DeclaredRepository, InvalidDeclaration
from kiok.server.deployment_checks import Risk
from kiok.server.parsers import (
    ABSOLUTE_PATH,
    BOOLEAN,
    DIRECTORY,
    FILE,
    IMAGE_REFERENCE,
    Parser,
    choice,
    integer,
    number,
    one_of,
    text,
    words,
)

T = TypeVar("T")

CONFIG_VARIABLE = "KIOK_CONFIG"
# Read elsewhere (kiok.server.keys, scripts/), so they cause no warning about an unknown variable.
_BY_SCRIPTS = (
    *("BASE_IMAGE", "DEBIAN_MIRROR", "IMAGE_PYTHON", "IMAGE_JAVA", "IMAGE_JAVA_BUILDER", "REBUILD"),
    *("BUILD_CA", "BUILD_PIP_CONF", "COMPOSE_DIR", "PUBLISH", "TAG"),
)
OTHER_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        *(f"{secret}{suffix}" for secret in keys.SECRETS for suffix in ("", "_FILE")),
        *(f"KIOK_{name}" for name in _BY_SCRIPTS),
    }
)

_MIB = 1024 * 1024
_MAX_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Property:
    """A row of the table. `attribute` is its name in `Properties`, `variable` its name in the environment."""

    name: str
    parser: Parser[Any]
    default: Any
    description: str

    @property
    def attribute(self) -> str:
        return self.name.removeprefix("kiok.").replace(".", "_")

    @property
    def variable(self) -> str:
        return self.name.upper().replace(".", "_")


@dataclass(frozen=True, slots=True)
class Setting:
    """The current value of a property as text, and the `source` it was read from."""

    name: str
    value: str
    source: str
    description: str


def _property(name: str, parser: Parser[T], default: T, description: str) -> T:
    """Return a dataclass field that carries its row of the table; typed as its value, for type checkers."""
    return field(default=default, metadata={"property": Property(name, parser, default, description)})


def _milliseconds(minimum: int, maximum: int = _MAX_MS) -> Parser[int]:
    return integer(minimum, maximum, "milliseconds")


def _bytes(minimum: int) -> Parser[int]:
    return integer(minimum, 2**40, "bytes")


def _days() -> Parser[int]:
    return integer(0, 36_500, "days")


REPOSITORIES: Parser[tuple[DeclaredRepository, ...]] = Parser(
    "name|url|ref|subpath[|credentialConnectionId], separated by commas",
    declared.parse_list,
    declared.show_list,
)


@dataclass(frozen=True)
class Properties:
    """Validated values of all properties. `sources` says where each was read, `warnings` lists likely mistakes.

    `invalid_repositories` are the problems of declared repositories that cannot be used; their names, if they have
    one, are in neither `gitsync_repos` nor `file_repositories`.
    """

    gitsync_enabled: bool = _property(
        "kiok.gitsync.enabled", BOOLEAN, True, "Poll repositories at their interval and sync new commits."
    )
    gitsync_interval_ms: int = _property(
        "kiok.gitsync.interval.ms", _milliseconds(1000), 60_000, "Time between two polls of a repository."
    )
    gitsync_repos: tuple[DeclaredRepository, ...] = _property(
        "kiok.gitsync.repos", REPOSITORIES, (), "Declared repositories; read-only in the admin."
    )
    gitsync_repos_file: Path | None = _property(
        "kiok.gitsync.repos.file", FILE, None, "YAML file that declares more repositories."
    )
    gitsync_repos_allow_empty: bool = _property(
        "kiok.gitsync.repos.allow.empty",
        BOOLEAN,
        False,
        "Remove declared repositories with their DAGs when the property or file that declared them is empty; false: keep.",
    )
    gitsync_allow_protocols: tuple[str, ...] = _property(
        "kiok.gitsync.allow.protocols",
        words(
            "https, ssh; for tests and demos also http, file, git",
            one_of("https", "ssh", "http", "file", "git"),
        ),
        ("https", "ssh"),
        "Protocols that git may use.",
    )
    gitsync_allow_private_hosts: tuple[str, ...] = _property(
        "kiok.gitsync.allow.private.hosts",
        words("host names, addresses and networks, separated by commas", parsers.host_or_network),
        (),
        "Hosts and networks with private, loopback or link-local addresses that repositories may be on.",
    )
    gitsync_git_timeout_ms: int = _property(
        "kiok.gitsync.git.timeout.ms", _milliseconds(1000), 60_000, "Time limit of one git command."
    )
    gitsync_ssl_ca_info: Path | None = _property(
        "kiok.gitsync.ssl.ca.info",
        FILE,
        None,
        "CA certificates (PEM) for https remotes; empty: the system's.",
    )
    gitsync_max_tree_bytes: int = _property(
        "kiok.gitsync.max.tree.bytes",
        _bytes(1),
        256 * _MIB,
        "Maximum total size of the files of a commit.",
    )
    gitsync_max_files: int = _property(
        "kiok.gitsync.max.files", integer(1), 50_000, "Maximum number of files in a commit."
    )
    gitsync_max_file_bytes: int = _property(
        "kiok.gitsync.max.file.bytes", _bytes(1), 32 * _MIB, "Maximum size of a file that is read."
    )
    gitsync_max_path_bytes: int = _property(
        "kiok.gitsync.max.path.bytes",
        integer(64, 1024, "bytes"),
        1024,
        "Maximum length of a path that is read, in UTF-8.",
    )
    gitsync_max_dags: int = _property(
        "kiok.gitsync.max.dags", integer(1), 10_000, "Maximum number of DAGs in one repository."
    )
    gitsync_parallelism: int = _property(
        "kiok.gitsync.parallelism",
        integer(1, 256),
        8,
        "Maximum number of remotes polled at the same time.",
    )
    gitsync_host_parallelism: int = _property(
        "kiok.gitsync.host.parallelism",
        integer(1, 256),
        4,
        "Maximum number of remotes on one host polled at the same time.",
    )
    gitsync_sync_timeout_ms: int = _property(
        "kiok.gitsync.sync.timeout.ms",
        _milliseconds(10_000),
        600_000,
        "Time limit of one sync, all steps included.",
    )
    gitsync_max_syncs: int = _property(
        "kiok.gitsync.max.syncs",
        integer(0, 10_000),
        0,
        "Maximum number of concurrent syncs across all machines; 0: one for each worker process.",
    )
    gitsync_host_syncs: int = _property(
        "kiok.gitsync.host.syncs",
        integer(0, 10_000),
        0,
        "Maximum number of concurrent syncs of repositories on one host; 0: no limit.",
    )
    gitsync_webhook_max_bytes: int = _property(
        "kiok.gitsync.webhook.max.bytes", _bytes(1024), _MIB, "Maximum size of the body of a webhook request."
    )
    retention_syncs_days: int = _property(
        "kiok.retention.syncs.days",
        _days(),
        90,
        "Age after which syncs are removed, except each repository's newest, last successful and last failed sync; "
        "0: never.",
    )
    retention_syncs_newest: int = _property(
        "kiok.retention.syncs.newest",
        integer(1, 1_000_000),
        100,
        "Number of newest syncs of each repository that are kept.",
    )
    retention_sync_logs_days: int = _property(
        "kiok.retention.sync.logs.days",
        _days(),
        30,
        "Age after which sync logs are removed, except those of each repository's newest, last successful and last failed "
        "sync; 0: together with the sync.",
    )
    retention_versions_days: int = _property(
        "kiok.retention.versions.days",
        _days(),
        365,
        "Age after which DAG versions are removed, except each DAG's newest and those that a run refers to; 0: never.",
    )
    retention_versions_newest: int = _property(
        "kiok.retention.versions.newest",
        integer(2, 1_000_000),
        50,
        "Number of newest versions of each DAG that are kept.",
    )
    retention_runs_days: int = _property(
        "kiok.retention.runs.days",
        _days(),
        0,
        "Age after which finished runs and their tasks are removed, except each DAG's newest run; 0: never.",
    )
    retention_runs_newest: int = _property(
        "kiok.retention.runs.newest",
        integer(1, 1_000_000),
        100,
        "Number of newest runs of each DAG that are kept.",
    )
    retention_deliveries_days: int = _property(
        "kiok.retention.deliveries.days",
        _days(),
        30,
        "Age after which webhook deliveries are removed; 0: never.",
    )
    retention_tasks_days: int = _property(
        "kiok.retention.tasks.days",
        _days(),
        2,
        "Age after which results of queue tasks are removed; 0: never.",
    )
    base_data_dir: Path = _property(
        "kiok.base.data.dir",
        DIRECTORY,
        Path(".kiok"),
        "Folder for the git mirrors, generated keys and the embedded database; private to the service.",
    )
    sandbox_image_python: str = _property(
        "kiok.sandbox.image.python",
        IMAGE_REFERENCE,
        "kiok-sandbox-python:dev",
        "Container image that compiles *.py.",
    )
    sandbox_image_java: str = _property(
        "kiok.sandbox.image.java",
        IMAGE_REFERENCE,
        "kiok-sandbox-java:dev",
        "Container image that compiles *.jar.",
    )
    sandbox_runtime: str = _property(
        "kiok.sandbox.runtime",
        text("an OCI runtime that the engine knows, such as runsc", empty=True),
        "",
        "OCI runtime of the containers; empty: the engine's default.",
    )
    sandbox_podman_seccomp_path: str = _property(
        "kiok.sandbox.podman.seccomp.path",
        ABSOLUTE_PATH,
        "",
        "Path of compilers/sandbox/seccomp.json on the Podman host; empty: its path in this installation.",
    )
    sandbox_pool_size: int = _property(
        "kiok.sandbox.pool.size",
        integer(0, 32),
        1,
        "Number of warm containers for each language; 0: none.",
    )
    sandbox_parallelism: int = _property(
        "kiok.sandbox.parallelism",
        integer(1, 64),
        2,
        "Maximum number of containers that compile the files of one large sync in parallel.",
    )
    sandbox_memory_bytes: int = _property(
        "kiok.sandbox.memory.bytes",
        _bytes(64 * _MIB),
        512 * _MIB,
        "Memory of a container, including its temporary files and sources; no swap.",
    )
    sandbox_pids: int = _property(
        "kiok.sandbox.pids", integer(16, 4096), 64, "Maximum number of processes and threads in a container."
    )
    sandbox_cpus: float = _property(
        "kiok.sandbox.cpus", number(0.1, 256), 1.0, "CPUs of a container that compiles Python files."
    )
    sandbox_jar_cpus: float = _property(
        "kiok.sandbox.jar.cpus", number(0.1, 256), 2.0, "CPUs of a container that compiles jars."
    )
    sandbox_file_timeout_ms: int = _property(
        "kiok.sandbox.file.timeout.ms",
        _milliseconds(100),
        30_000,
        "Time limit for compiling one Python file.",
    )
    sandbox_jar_timeout_ms: int = _property(
        "kiok.sandbox.jar.timeout.ms", _milliseconds(100), 60_000, "Time limit for compiling one jar."
    )
    sandbox_payload_bytes: int = _property(
        "kiok.sandbox.payload.bytes", _bytes(1024), _MIB, "Maximum size of the compiled result of one file."
    )
    sandbox_output_bytes: int = _property(
        "kiok.sandbox.output.bytes",
        _bytes(1),
        8192,
        "Maximum amount of a file's printed output that is kept.",
    )
    sandbox_src_bytes: int = _property(
        "kiok.sandbox.src.bytes", _bytes(_MIB), 64 * _MIB, "Space for source files in a container."
    )
    sandbox_src_inodes: int = _property(
        "kiok.sandbox.src.inodes",
        integer(100),
        20_000,
        "Maximum number of source files and folders in a container.",
    )
    sandbox_tmp_bytes: int = _property(
        "kiok.sandbox.tmp.bytes", _bytes(_MIB), 16 * _MIB, "Space for temporary files in a container."
    )
    sandbox_tmp_inodes: int = _property(
        "kiok.sandbox.tmp.inodes",
        integer(100),
        2000,
        "Maximum number of temporary files and folders in a container.",
    )
    sandbox_file_bytes: int = _property(
        "kiok.sandbox.file.bytes",
        _bytes(_MIB),
        64 * _MIB,
        "Maximum size of a file that is written in a container.",
    )
    sandbox_open_files: int = _property(
        "kiok.sandbox.open.files",
        integer(64, 65_536),
        256,
        "Maximum number of open files of one process in a container.",
    )
    sandbox_deadline_ms: int = _property(
        "kiok.sandbox.deadline.ms",
        _milliseconds(1000),
        1_800_000,
        "Time limit for compiling all files of one container.",
    )
    web_host: str = _property(
        "kiok.web.host",
        text("an address or host name to listen on"),
        "127.0.0.1",
        "Address that the web server listens on.",
    )
    web_port: int = _property(
        "kiok.web.port", integer(1, 65_535), 8000, "Port that the web server listens on."
    )
    web_workers: int = _property("kiok.web.workers", integer(1, 64), 2, "Number of web server processes.")
    web_header_timeout_ms: int = _property(
        "kiok.web.header.timeout.ms",
        _milliseconds(1000, 600_000),
        10_000,
        "Time limit for receiving the header of a request, from the start of the connection or the previous response.",
    )
    web_body_timeout_ms: int = _property(
        "kiok.web.body.timeout.ms",
        _milliseconds(1000, 600_000),
        60_000,
        "Time limit for receiving the body of a request, from the end of its header.",
    )
    web_max_connections: int = _property(
        "kiok.web.max.connections",
        integer(10, 100_000),
        1000,
        "Maximum number of connections of one web server process; above it, the one that has waited longest is closed.",
    )
    web_proxies: int = _property(
        "kiok.web.proxies",
        integer(0, 10),
        0,
        "Number of proxies in front of the service that append to X-Forwarded-For; 0: the header is ignored.",
    )
    web_login_failures: int = _property(
        "kiok.web.login.failures",
        integer(1, 1000),
        10,
        "Failed logins after which an account is locked for the client address that they came from.",
    )
    web_login_lockout_ms: int = _property(
        "kiok.web.login.lockout.ms",
        _milliseconds(1000),
        600_000,
        "Duration of the lock, from the last failed login.",
    )
    web_allowed_hosts: tuple[str, ...] = _property(
        "kiok.web.allowed.hosts",
        words(
            "host names (.example.com: with all subdomains; *: any), separated by commas",
            parsers.allowed_host,
        ),
        ("localhost", "127.0.0.1", "[::1]"),
        "Host names that the web server accepts in requests.",
    )
    web_trusted_origins: tuple[str, ...] = _property(
        "kiok.web.trusted.origins",
        words("origins such as https://kiok.example.com, separated by commas", parsers.origin),
        (),
        "Origins behind a proxy whose pages may submit forms.",
    )
    web_tls: bool = _property(
        "kiok.web.tls",
        BOOLEAN,
        False,
        "Browsers reach the service only over https, through a proxy that sets X-Forwarded-Proto.",
    )
    web_hsts_seconds: int = _property(
        "kiok.web.hsts.seconds",
        integer(0, 63_072_000, "seconds"),
        30 * 24 * 3600,
        "With kiok.web.tls: max-age of the Strict-Transport-Security header (HSTS); 0: the header is not sent.",
    )
    web_hsts_subdomains: bool = _property(
        "kiok.web.hsts.subdomains",
        BOOLEAN,
        False,
        "With kiok.web.tls: HSTS also covers all subdomains of the service's host name.",
    )
    web_public_url: str = _property(
        "kiok.web.public.url",
        Parser("an address such as https://kiok.example.com (or empty)", parsers.public_url),
        "",
        "Public base URL of the service, for links in notifications.",
    )
    notice_after_failures: int = _property(
        "kiok.notice.after.failures",
        integer(1, 100),
        3,
        "Consecutive transient failures before a notification is sent.",
    )
    mail_host: str = _property(
        "kiok.mail.host",
        text("a host name or address", empty=True),
        "",
        "SMTP server for notifications by e-mail; empty: no e-mail is sent.",
    )
    mail_port: int = _property("kiok.mail.port", integer(1, 65_535), 587, "Port of the SMTP server.")
    mail_tls: str = _property(
        "kiok.mail.tls",
        choice("starttls", "tls", "none"),
        "starttls",
        "Security of the SMTP connection: STARTTLS, implicit TLS (port 465), or none.",
    )
    mail_from: str = _property(
        "kiok.mail.from",
        text("an address such as kiok@example.com, or kiok <kiok@example.com>", empty=True),
        "",
        "From address of e-mail; required with kiok.mail.host.",
    )
    workers: int = _property(
        "kiok.workers", integer(1, 64), 4, "Number of worker processes; each runs one sync at a time."
    )
    broker: str = _property(
        "kiok.broker",
        choice("postgresql", "redis"),
        "postgresql",
        "Message broker that notifies workers of queued syncs: the database, or the Redis at KIOK_REDIS_URL.",
    )
    allow_insecure: tuple[str, ...] = _property(
        "kiok.allow.insecure",
        words(f"{', '.join(Risk)}, separated by commas", one_of(*Risk)),
        (),
        "Deployment risks to accept, by name.",
    )
    log_level: str = _property(
        "kiok.log.level",
        choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
        "Minimum severity of logged events.",
    )
    log_format: str = _property(
        "kiok.log.format",
        choice("console", "json"),
        "console",
        "Format of a log line: text, or a JSON object.",
    )

    file_repositories: tuple[DeclaredRepository, ...] = ()
    invalid_repositories: tuple[InvalidDeclaration, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def repositories(self) -> tuple[DeclaredRepository, ...]:
        """All declared repositories: those of the property, then those of the file. Names are distinct."""
        return self.gitsync_repos + self.file_repositories

    @property
    def requires_sandbox_limits(self) -> bool:
        """False if `kiok.allow.insecure` accepts containers whose memory or processes are not limited."""
        return Risk.SANDBOX_LIMITS not in self.allow_insecure

    def get(self, name: str) -> Any:
        """Return the value of a property by its full name. Raises KeyError for an unknown name."""
        return getattr(self, TABLE[name].attribute)

    def settings(self) -> Iterator[Setting]:
        """Yield every property in the order of the table, with its value as text and its source."""
        for line in TABLE.values():
            value = getattr(self, line.attribute)
            yield Setting(
                line.name, line.parser.show(value), self.sources.get(line.name, "default"), line.description
            )


TABLE: Mapping[str, Property] = {
    line.name: line for line in (f.metadata.get("property") for f in fields(Properties)) if line is not None
}
