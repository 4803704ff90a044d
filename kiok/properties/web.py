"""Properties of the web server (`kiok.web.*`)."""

from __future__ import annotations

from dataclasses import dataclass

from kiok.properties import parsers
from kiok.properties.parsers import BOOLEAN, Parser, integer, text, words
from kiok.properties.property import milliseconds, row


@dataclass(frozen=True)
class WebProperties:
    """Properties of the web server (`kiok.web.*`)."""

    web_host: str = row(
        "kiok.web.host",
        text("an address or host name to listen on"),
        "127.0.0.1",
        "Address that the web server listens on.",
    )
    web_port: int = row("kiok.web.port", integer(1, 65_535), 8000, "Port that the web server listens on.")
    web_workers: int = row("kiok.web.workers", integer(1, 64), 2, "Number of web server processes.")
    web_header_timeout_ms: int = row(
        "kiok.web.header.timeout.ms",
        milliseconds(1000, 600_000),
        10_000,
        "Time limit for receiving the header of a request, from the start of the connection or the previous response.",
    )
    web_body_timeout_ms: int = row(
        "kiok.web.body.timeout.ms",
        milliseconds(1000, 600_000),
        60_000,
        "Time limit for receiving the body of a request, from the end of its header.",
    )
    web_max_connections: int = row(
        "kiok.web.max.connections",
        integer(10, 100_000),
        1000,
        "Maximum number of connections of one web server process; above it, the one that has waited longest is closed.",
    )
    web_proxies: int = row(
        "kiok.web.proxies",
        integer(0, 10),
        0,
        "Number of proxies in front of the service that append to X-Forwarded-For; 0: the header is ignored.",
    )
    web_login_failures: int = row(
        "kiok.web.login.failures",
        integer(1, 1000),
        10,
        "Failed logins after which an account is locked for the client address that they came from.",
    )
    web_login_lockout_ms: int = row(
        "kiok.web.login.lockout.ms",
        milliseconds(1000),
        600_000,
        "Duration of the lock, from the last failed login.",
    )
    web_allowed_hosts: tuple[str, ...] = row(
        "kiok.web.allowed.hosts",
        words(
            "host names (.example.com: with all subdomains; *: any), separated by commas",
            parsers.allowed_host,
        ),
        ("localhost", "127.0.0.1", "[::1]"),
        "Host names that the web server accepts in requests.",
    )
    web_trusted_origins: tuple[str, ...] = row(
        "kiok.web.trusted.origins",
        words("origins such as https://kiok.example.com, separated by commas", parsers.origin),
        (),
        "Origins behind a proxy whose pages may submit forms.",
    )
    web_tls: bool = row(
        "kiok.web.tls",
        BOOLEAN,
        False,
        "Browsers reach the service only over https, through a proxy that sets X-Forwarded-Proto.",
    )
    web_hsts_seconds: int = row(
        "kiok.web.hsts.seconds",
        integer(0, 63_072_000, "seconds"),
        30 * 24 * 3600,
        "With kiok.web.tls: max-age of the Strict-Transport-Security header (HSTS); 0: the header is not sent.",
    )
    web_hsts_subdomains: bool = row(
        "kiok.web.hsts.subdomains",
        BOOLEAN,
        False,
        "With kiok.web.tls: HSTS also covers all subdomains of the service's host name.",
    )
    web_public_url: str = row(
        "kiok.web.public.url",
        Parser("an address such as https://kiok.example.com (or empty)", parsers.public_url),
        "",
        "Public base URL of the service, for links in notifications.",
    )
