"""Unpickling of django-q2's stored values, restricted to plain values.

django-q2 pickles tasks in its broker (signed with the SECRET_KEY) and arguments and results in its table (not signed). A
pickle can call any function while it is read, before any check of the task. So every pickle is read by an unpickler that
allows only the types of this product's tasks (https://docs.python.org/3/library/pickle.html#restricting-globals).
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from django.db.models.signals import post_save
from django_q import signals, signing
from django_q.models import Task
from picklefield import fields

from gitsync.queue.task_allowlist import log, shown

# In addition to numbers, text, bytes, lists, tuples, mappings and sets, which need no import.
GLOBALS = frozenset({("datetime", "datetime"), ("datetime", "timezone"), ("datetime", "timedelta")})


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Raise UnpicklingError for everything but `GLOBALS`, before anything is imported."""
        if (module, name) not in GLOBALS:
            found = shown(f"{module}.{name}")
            log.error("refused a pickled value of the task queue: it names %s", found)
            raise pickle.UnpicklingError(f"{found} is not allowed in a pickled value of the task queue")
        return super().find_class(module, name)


def loads(data: bytes) -> Any:
    """Return the plain value of a pickle. Raises UnpicklingError, or any error that pickle raises for broken data."""
    return _PlainUnpickler(io.BytesIO(data)).load()


class _PlainSerializer(signing.PickleSerializer):  # type: ignore[misc]  # django-q2 has no types
    @staticmethod
    def loads(data: bytes) -> Any:
        return loads(data)


def _loads_signed(text: Any) -> Any:
    """Return the task of a signed package. Raises BadSignature for any fault of the package.

    The django-q2 process that takes tasks from the broker drops a package on BadSignature, and dies of other errors.
    """
    try:
        task = signing.signing.loads(
            text, key=signing.Conf.SECRET_KEY, salt=signing.Conf.PREFIX, serializer=_PlainSerializer
        )
    except signing.BadSignature:
        raise
    except Exception as exc:  # any error: a package with a good signature may still contain anything
        raise signing.BadSignature(f"the package cannot be read: {exc}") from exc
    if not isinstance(task, dict):
        raise signing.BadSignature(f"the package contains a {type(task).__name__}; a task is a mapping")
    return task


def _refuse_hook(instance: Task, **_: Any) -> None:
    """Log the hook of a stored task, in place of django-q2's receiver, which imports and calls it."""
    if instance.hook:
        log.error(
            "refused hook %r of task %r: workers call no hooks", shown(instance.hook), shown(instance.name)
        )


def install() -> None:
    """Make this process read pickles of the task queue by these rules, and call no hooks."""
    signing.SignedPackage.loads = staticmethod(_loads_signed)
    fields.loads = loads
    post_save.disconnect(signals.call_hook, sender=Task)
    post_save.connect(_refuse_hook, sender=Task, dispatch_uid="gitsync.queue.safe_pickle")
