"""Django's settings, made from the properties (`KIOK`) and from the secrets of the environment.

Importing this starts nothing and writes nothing: entry points start the embedded database
(kiok.server.entry), and keys are generated when they are first used.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.utils.functional import lazystr

from kiok.properties.values import Properties
from kiok.server import database_url, deployment_checks, embedded, keys
from kiok.server.logging import configuration
from kiok.server.properties import load


class _SecretKey:
    """Text that is read or generated at first use."""

    def __str__(self) -> str:
        return keys.secret_key(os.environ, KIOK.base_data_dir)


class _LazyKey(type(lazystr(""))):  # type: ignore[misc]  # the class of lazy text has no name
    """Lazy text that is never empty; Django checks that in every process that reads the key."""

    def __bool__(self) -> bool:
        return True


KIOK: Properties = load(os.environ)

LOGGING = configuration(KIOK.log_level, KIOK.log_format)

DEBUG = False
SECRET_KEY = _LazyKey((_SecretKey(),), {})
ALLOWED_HOSTS = [*KIOK.web_allowed_hosts]
CSRF_TRUSTED_ORIGINS = [*KIOK.web_trusted_origins]

INSTALLED_APPS = [
    "kiok.server.apps.ServerConfig",
    "kiok.metadata.apps.MetadataConfig",
    "kiok.connections.apps.ConnectionsConfig",
    "kiok.authentication.apps.AuthenticationConfig",
    "kiok.cluster.apps.ClusterConfig",
    "kiok.notifications.apps.NotificationsConfig",
    "gitsync.apps.GitsyncConfig",
    "django_q",
    "gitsync.apps.GitsyncAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
]

MIDDLEWARE = [
    "kiok.server.middleware.CorrelationMiddleware",
    "kiok.server.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "kiok.server.middleware.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "kiok.server.urls"
WSGI_APPLICATION = "kiok.server.wsgi.application"
LOGIN_URL = "admin:login"
# Also used when `next` is refused, for example because it leads to another host.
LOGIN_REDIRECT_URL = "admin:index"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database: the PostgreSQL of DATABASE_URL, or the embedded one.
_EMBEDDED_URL = embedded.url(KIOK.base_data_dir)
_DATABASE_URL = keys.from_environment("DATABASE_URL", os.environ) or _EMBEDDED_URL
KIOK_EMBEDDED: bool = _DATABASE_URL == _EMBEDDED_URL
KIOK_RISKS = [] if KIOK_EMBEDDED else deployment_checks.judge(KIOK, os.environ)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {**database_url.parse(_DATABASE_URL), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True},
}

# Functions, so that a key is read or generated only in a process that needs it.
KIOK_MASTER_KEY = partial(keys.master_key, os.environ, KIOK.base_data_dir, embedded=KIOK_EMBEDDED)
KIOK_NEW_MASTER_KEY = partial(keys.from_environment, "KIOK_NEW_MASTER_KEY", os.environ)

# None: /metrics answers only clients on this machine.
KIOK_WEB_METRICS_TOKEN: str | None = keys.metrics_token(os.environ)
# None: the database notifies the workers.
KIOK_REDIS_URL: str | None = keys.redis_url(os.environ, KIOK.broker)
# Readiness checks and metrics of the apps, as dotted names: the service imports the apps, never the reverse.
KIOK_READINESS = {"leader": "gitsync.monitoring.readiness.leader"}
KIOK_METRICS = "gitsync.monitoring.collector.exposition"

# Notifications by e-mail.
EMAIL_HOST, EMAIL_PORT = KIOK.mail_host, KIOK.mail_port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = keys.mail_login(os.environ)
EMAIL_USE_TLS, EMAIL_USE_SSL = KIOK.mail_tls == "starttls", KIOK.mail_tls == "tls"
EMAIL_TIMEOUT = 10  # seconds, for each step
DEFAULT_FROM_EMAIL = KIOK.mail_from or "kiok@localhost"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# An account is locked per client address, so one user cannot lock out another. Attempts during a lock do not prolong it.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = KIOK.web_login_failures
AXES_COOLOFF_TIME = "kiok.authentication.failures.cool_off"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "kiok.authentication.client_address.client_address"
AXES_USERNAME_CALLABLE = "kiok.authentication.failures.locked_name"
AXES_LOCKOUT_TEMPLATE = "locked_out.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# The queue. With PostgreSQL delivery is at least once: a task whose worker died is delivered again after `retry`, which
# must therefore be later than `timeout`, when a task that still runs is killed. With Redis it is at most once. Queued
# syncs are stored in the database, so a task that the queue loses loses no request (gitsync.queue).
_TASK_TIMEOUT_SECONDS = KIOK.gitsync_sync_timeout_ms // 1000 + 60
Q_CLUSTER = {
    "name": "kiok",
    "orm": "default",
    "broker_class": {
        "postgresql": "gitsync.queue.brokers.postgresql.PostgresqlBroker",
        "redis": "gitsync.queue.brokers.redis.RedisBroker",
    }[KIOK.broker],
    "workers": KIOK.workers,
    "timeout": _TASK_TIMEOUT_SECONDS,
    "retry": _TASK_TIMEOUT_SECONDS + 60,
    "max_attempts": 1,
    "ack_failures": True,
    "poll": 0,  # the broker itself waits for a notification (gitsync.queue.brokers.postgresql)
    "bulk": 1,
    "catch_up": False,
    # 0 keeps every result; kiok.retention.tasks.days removes them. With a limit, each task reads and locks that many rows.
    "save_limit": 0,
    "recycle": 200,
    "label": "Task queue",
    "log_level": LOGGING["loggers"]["django-q"]["level"],
}

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = ["kiok.server.formats"]

STATIC_URL = "static/"
# Static files of the API documentation. As an installed app, ninja would cost every process a third of a second.
STATICFILES_DIRS = [Path(str(_ninja.origin)).parent / "static"] if (_ninja := find_spec("ninja")) else []
WHITENOISE_USE_FINDERS = True  # served from the packages: no collectstatic
WHITENOISE_MAX_AGE = 3600

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_NAME = "kiok_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "kiok_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = KIOK.web_tls
if KIOK.web_tls:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = KIOK.web_hsts_seconds
    SECURE_HSTS_INCLUDE_SUBDOMAINS = KIOK.web_hsts_subdomains
# Recommendations of `check --deploy` that do not fit every site: the operator does not always control the subdomains
# (kiok.web.hsts.subdomains), and the browsers' preload lists are for domains, not for one service.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
