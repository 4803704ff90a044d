"""The languages that are compiled in containers; each format of one names its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language whose files run in containers of its own image.

    - `name`: the language in requests to the driver and in names of containers, and the name of its format
    - `title`: the language for people; `image_title`: its image for people
    - `image_property`: the property of the service that names its image
    - `image_field`: the field in which a repository names its own image (API, kiok.gitsync.repos.file)
    - `timeout_limit`, `cpus_limit`: the fields of SandboxLimits with the time of a file and the CPUs of a container
    - `is_process_memory_limited`: whether the process of a file has a memory limit besides the container's
    - `files_per_container`: files that compile in about the time a container takes to start (docs/performance.md)
    """

    name: str
    title: str
    image_title: str
    image_property: str
    image_field: str
    timeout_limit: str = "file_timeout_seconds"
    cpus_limit: str = "cpus"
    is_process_memory_limited: bool = True
    files_per_container: int = 1
