"""Builders for the task types that have a config rather than a script.

Each builder only maps its arguments to config keys. An argument that is None is omitted from the config.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiok.dag import Requires, Task


class Operators(ABC):
    """Methods of `Dag` that add tasks: `http`, `livy`, `trino` and `ontul`.

    All accept `timeout`, `requires` and `config` as `Dag.task` does; `config` adds keys that have no
    argument here.
    """

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
    ) -> Task:
        """Add a task that calls a URL. A `body` that is not a string is sent as JSON."""
        given = {"url": url, "method": method, "headers": headers, "body": body}
        return self._configured(id, "http", None, requires, timeout, given, config)

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
        return self._configured(id, "livy", None, requires, timeout, given, config)

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
        return self._configured(id, "trino", sql, requires, timeout, given, config)

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
        task = self._configured(id, "ontul", body, requires, timeout, given, config)
        if script is not None and sql is not None and script != sql:
            task._wrong("script", "'script' and 'sql' are both given and differ; keep one of them")
        return task

    @abstractmethod
    def _configured(
        self,
        id: str,
        type: str,
        script: str | None,
        requires: Requires,
        timeout: str | None,
        given: Mapping[str, Any],
        config: Mapping[str, Any] | None,
    ) -> Task:
        """Add a task whose config has the values of `given` that are not None, and the entries of `config`."""
