"""The risks of a deployment, by the names that `kiok.allow.insecure` accepts."""

from __future__ import annotations

from enum import StrEnum


class Risk(StrEnum):
    """Insecure settings of a deployment, by the names that `kiok.allow.insecure` accepts."""

    # Passwords, sessions and tokens cross the network unencrypted.
    WEB_TLS = "web.tls"
    # The service answers under any host name that resolves to it (DNS rebinding).
    WEB_ALLOWED_HOSTS = "web.allowed.hosts"
    # An attacker who can alter an unencrypted page in transit can submit forms as its reader.
    WEB_TRUSTED_ORIGINS = "web.trusted.origins"
    # DAGs are fetched unencrypted and unauthenticated, or from files of the service's own machine.
    GITSYNC_ALLOW_PROTOCOLS = "gitsync.allow.protocols"
    # Every user who may add a repository can reach every address of the internal network through it.
    GITSYNC_ALLOW_PRIVATE_HOSTS = "gitsync.allow.private.hosts"
    # All stored data and the database password cross the network unencrypted.
    DATABASE_TLS = "database.tls"
    # The queue and the Redis password cross the network unencrypted.
    REDIS_TLS = "redis.tls"
    # Notifications and the mail server password cross the network unencrypted.
    MAIL_TLS = "mail.tls"
    # A client that reaches the engine's port is root on its host, and a man in the middle can replace the engine.
    DOCKER_HOST = "docker.host"
    # A compiled DAG file can use up the memory or the processes of the engine's host. Found not at the start but when
    # a container is used (`compilers.sandbox.session`), with the embedded database too.
    SANDBOX_LIMITS = "sandbox.limits"
    # An attacker who guesses the key can forge sessions of any user, and tasks for the workers.
    DJANGO_SECRET_KEY = "django.secret.key"  # noqa: S105 - a name
    # An attacker who guesses the key can read every stored credential from the database or a backup.
    MASTER_KEY = "master.key"
    # Every user of the machine can read or replace a secret of the service.
    SECRET_FILES = "secret.files"  # noqa: S105 - a name
