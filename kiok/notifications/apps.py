from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig

from kiok.cluster import periodic


class NotificationsConfig(AppConfig):
    name = "kiok.notifications"
    label = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        periodic.register(periodic.Scope.LEADER, leader_jobs)


def leader_jobs() -> Sequence[periodic.PeriodicJob]:
    """Return the periodic jobs of the outbox."""
    from kiok.notifications import outbox

    return [
        periodic.PeriodicJob("waking the sender of notifications", outbox.wake_if_due),
        periodic.PeriodicJob("deleting old notifications", outbox.forget),
    ]
