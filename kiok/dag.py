"""`Dag`: a DAG written in Python.

This module raises no exception for an author's mistakes: it records them, each with the line of its call, and they
are reported together when the file is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from kiok.call_site import call_site
from kiok.creations import record
from kiok.task import Requires, Task
from kiok.text import shown

__all__ = ["Dag", "Requires", "Task"]

_created = count()


class _Default(str):
    """A default value that can be distinguished from the same text given by an author."""

    __slots__ = ()


_SHELL = _Default("shell")


class Dag:
    """A workflow: tasks and the dependencies between them.

    Every instance that is assigned to a module-level name is registered as a DAG. `schedule` is a 5-field
    cron schedule (None: manual only), `default_timeout` a duration such as "30m". `owner` is a team or a person (None:
    the owner of the repository), `tags` a list of words to find the DAG by.

    For runs: `timezone` is the IANA name of the schedule's time zone (None: UTC), `max_active_runs` and `overlap` ("queue"
    or "skip") limit runs at the same time, `catchup_window` is a duration. `params` declares arguments, as
    `{"day": {"type": "date", "required": True}}`. `retries` and `retry_delay` are defaults of the tasks.
    """

    def __init__(
        self,
        id: str,
        schedule: str | None = None,
        catchup: bool = False,
        default_timeout: str | None = None,
        name: str | None = None,
        description: str | None = None,
        owner: str | None = None,
        tags: Sequence[str] | None = None,
        *,
        timezone: str | None = None,
        max_active_runs: int | None = None,
        overlap: str | None = None,
        catchup_window: str | None = None,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        retries: int | None = None,
        retry_delay: str | None = None,
    ) -> None:
        self.id = id
        self.schedule = schedule
        self.catchup = catchup
        self.default_timeout = default_timeout
        self.name = name
        self.description = description
        self.owner = owner
        self.tags = tags
        self.timezone = timezone
        self.max_active_runs = max_active_runs
        self.overlap = overlap
        self.catchup_window = catchup_window
        self.params = params
        self.retries = retries
        self.retry_delay = retry_delay
        self.tasks: list[Task] = []
        self._site = call_site()
        self._order = next(_created)
        record(self, self._site)

    def __setstate__(self, state: Any) -> None:
        """Restore the state of a copied or pickled DAG."""
        own, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        self.__dict__.update(own or {})
        for name, value in (slots or {}).items():
            setattr(self, name, value)
        record(self)

    def __repr__(self) -> str:
        return f"<Dag {shown(self.id)}>"

    def task(
        self,
        id: str,
        script: str | None = None,
        task_type: str = _SHELL,
        requires: Requires = None,
        timeout: str | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        retries: int | None = None,
        retry_delay: str | None = None,
        runs: str | None = None,
        image: str | None = None,
        type: str | None = None,
    ) -> Task:
        """Add a task and return it.

        `requires` is a task, a task id, or a list of them; `timeout` and `retry_delay` are durations such as "90s";
        `runs` is "on_success" or "always"; `image` is a container image; `type` is another name of `task_type`. `config`
        values that are not strings are written as JSON.
        """
        chosen = task_type if type is None else type
        task = Task(self, id, chosen, script, requires, timeout, config, retries, retry_delay, runs, image)
        if type is not None and task_type is not _SHELL and type != task_type:
            both = f"'type' ({shown(type)}) and 'task_type' ({shown(task_type)})"
            task._wrong("type", f"{both} are both given and differ; keep one of them")
        self.tasks.append(task)
        return task

    # Tasks that have a config rather than a script. Each method only maps its arguments to config keys, without those that
    # are None. All accept `timeout`, `requires`, `config`, `retries`, `retry_delay` and `runs` as `task` does; `config` adds
    # keys that have no argument.

    def http(
        self,
        id: str,
        url: str,
        method: str | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        requires: Requires = None,
        timeout: str | None = None,
        config: Mapping[str, Any] | None = None,
        retries: int | None = None,
        retry_delay: str | None = None,
        runs: str | None = None,
    ) -> Task:
        """Add a task that calls a URL. A `body` that is not a string is sent as JSON."""
        given = {"url": url, "method": method, "headers": headers, "body": body}
        return self._configured(
            id, "http", None, requires, timeout, given, config, retries, retry_delay, runs
        )

    def livy(
        self,
        id: str,
        url: str | None = None,
        file: str | None = None,
        class_name: str | None = None,
        args: Sequence[Any] | None = None,
        conf: Mapping[str, Any] | None = None,
        jars: Sequence[str] | None = None,
        driver_memory: str | None = None,
        executor_memory: str | None = None,
        num_executors: int | None = None,
        queue: str | None = None,
        name: str | None = None,
        proxy_user: str | None = None,
        poll_interval_ms: int | None = None,
        *,
        py_files: Sequence[str] | None = None,
        files: Sequence[str] | None = None,
        archives: Sequence[str] | None = None,
        driver_cores: int | None = None,
        executor_cores: int | None = None,
        requires: Requires = None,
        timeout: str | None = None,
        config: Mapping[str, Any] | None = None,
        retries: int | None = None,
        retry_delay: str | None = None,
        runs: str | None = None,
    ) -> Task:
        """Add a task that submits a Spark batch through Apache Livy; `url` and `file` are required."""
        given = {
            "livy.url": url,
            "livy.file": file,
            "livy.className": class_name,
            "livy.args": args,
            "livy.conf": conf,
            "livy.jars": jars,
            "livy.driverMemory": driver_memory,
            "livy.executorMemory": executor_memory,
            "livy.numExecutors": num_executors,
            "livy.queue": queue,
            "livy.name": name,
            "livy.proxyUser": proxy_user,
            "livy.pollIntervalMs": poll_interval_ms,
            "livy.pyFiles": py_files,
            "livy.files": files,
            "livy.archives": archives,
            "livy.driverCores": driver_cores,
            "livy.executorCores": executor_cores,
        }
        return self._configured(
            id, "livy", None, requires, timeout, given, config, retries, retry_delay, runs
        )

    def trino(
        self,
        id: str,
        url: str,
        user: str,
        sql: str,
        password: str | None = None,
        catalog: str | None = None,
        schema: str | None = None,
        source: str | None = None,
        poll_interval_ms: int | None = None,
        *,
        requires: Requires = None,
        timeout: str | None = None,
        config: Mapping[str, Any] | None = None,
        retries: int | None = None,
        retry_delay: str | None = None,
        runs: str | None = None,
    ) -> Task:
        """Add a task that runs a SQL statement on Trino; `sql` becomes the task's script."""
        given = {
            "trino.url": url,
            "trino.user": user,
            "trino.password": password,
            "trino.catalog": catalog,
            "trino.schema": schema,
            "trino.source": source,
            "trino.pollIntervalMs": poll_interval_ms,
        }
        return self._configured(
            id, "trino", sql, requires, timeout, given, config, retries, retry_delay, runs
        )

    def ontul(
        self,
        id: str,
        url: str,
        token: str | None = None,
        job_type: str = "BATCH",
        class_name: str | None = None,
        script_path: str | None = None,
        deps: Sequence[str] | None = None,
        args: Mapping[str, Any] | Sequence[Any] | None = None,
        job_config: Mapping[str, Any] | None = None,
        *,
        script: str | None = None,
        sql: str | None = None,
        job_name: str | None = None,
        deps_connection_id: str | None = None,
        deps_s3_prefix: str | None = None,
        poll_interval_ms: int | None = None,
        requires: Requires = None,
        timeout: str | None = None,
        config: Mapping[str, Any] | None = None,
        retries: int | None = None,
        retry_delay: str | None = None,
        runs: str | None = None,
    ) -> Task:
        """Add a task that submits a job to an ontul cluster.

        `job_type` BATCH or STREAMING runs `sql` (or its other name, `script`); CLASS runs `class_name`
        of the jars `deps`; PYTHON runs `script_path`.
        """
        given = {
            "ontul.url": url,
            "ontul.token": token,
            "ontul.jobType": job_type,
            "ontul.className": class_name,
            "ontul.scriptPath": script_path,
            "ontul.deps": deps,
            "ontul.args": args,
            "ontul.jobConfig": job_config,
            "ontul.jobName": job_name,
            "ontul.depsConnectionId": deps_connection_id,
            "ontul.depsS3Prefix": deps_s3_prefix,
            "ontul.pollIntervalMs": poll_interval_ms,
        }
        body = script if sql is None else sql
        task = self._configured(
            id, "ontul", body, requires, timeout, given, config, retries, retry_delay, runs
        )
        if script is not None and sql is not None and script != sql:
            task._wrong("script", "'script' and 'sql' are both given and differ; keep one of them")
        return task

    def _configured(
        self,
        id: str,
        type: str,
        script: str | None,
        requires: Requires,
        timeout: str | None,
        given: Mapping[str, Any],
        config: Mapping[str, Any] | None,
        *for_runs: Any,
    ) -> Task:
        """Add a task whose config has the values of `given` that are not None, and the entries of `config`."""
        arguments = {key: value for key, value in given.items() if value is not None}
        is_mapping = config is None or isinstance(config, Mapping)
        extra = dict(config or {}) if is_mapping else {}
        whole = arguments | extra if is_mapping else config
        task = Task(self, id, type, script, requires, timeout, whole, *for_runs)
        for key in [key for key in arguments if key in extra]:
            task._wrong(key, "is given both as an argument and in 'config'; keep one of them")
        self.tasks.append(task)
        return task
