"""Properties of the processes: workers, broker, accepted risks, log."""

from __future__ import annotations

from dataclasses import dataclass

from kiok.properties.parsers import choice, integer, one_of, words
from kiok.properties.property import row
from kiok.properties.risk import Risk


@dataclass(frozen=True)
class ServiceProperties:
    """Properties of the processes: workers, broker, accepted risks, log."""

    workers: int = row(
        "kiok.workers", integer(1, 64), 4, "Number of worker processes; each runs one sync at a time."
    )
    broker: str = row(
        "kiok.broker",
        choice("postgresql", "redis"),
        "postgresql",
        "Message broker that notifies workers of queued syncs: the database, or the Redis at KIOK_REDIS_URL.",
    )
    allow_insecure: tuple[str, ...] = row(
        "kiok.allow.insecure",
        words(f"{', '.join(Risk)}, separated by commas", one_of(*Risk)),
        (),
        "Deployment risks to accept, by name.",
    )
    log_level: str = row(
        "kiok.log.level",
        choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "INFO",
        "Minimum severity of logged events.",
    )
    log_format: str = row(
        "kiok.log.format",
        choice("console", "json"),
        "console",
        "Format of a log line: text, or a JSON object.",
    )
