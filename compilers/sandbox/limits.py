"""Resource limits of a container and of a file in it.

The defaults are based on measurements with 1 000 files of ordinary repositories. Every limit is a
property of the service, so that an operator can raise it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from compilers.sandbox.language import Language

_MIB = 1 << 20

# Memory that a single Python process must leave for the driver and for the tree in /src.
_RESERVED_MEMORY_BYTES = 128 * _MIB
_MIN_PROCESS_MEMORY_BYTES = 64 * _MIB

# Added per file to a container's deadline: the time to start its process, kill it and clear /tmp on a machine under
# load. Without it, earlier files would use up the time of later ones.
_FILE_OVERHEAD_SECONDS = 5.0

# The property of the service that sets each limit. A property that ends in `.ms` sets seconds.
PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        "file_timeout_seconds": "kiok.sandbox.file.timeout.ms",
        "jar_timeout_seconds": "kiok.sandbox.jar.timeout.ms",
        "container_deadline_seconds": "kiok.sandbox.deadline.ms",
        "memory_bytes": "kiok.sandbox.memory.bytes",
        "pids": "kiok.sandbox.pids",
        "cpus": "kiok.sandbox.cpus",
        "jar_cpus": "kiok.sandbox.jar.cpus",
        "max_payload_bytes": "kiok.sandbox.payload.bytes",
        "max_output_bytes": "kiok.sandbox.output.bytes",
        "src_bytes": "kiok.sandbox.src.bytes",
        "src_inodes": "kiok.sandbox.src.inodes",
        "tmp_bytes": "kiok.sandbox.tmp.bytes",
        "tmp_inodes": "kiok.sandbox.tmp.inodes",
        "max_file_bytes": "kiok.sandbox.file.bytes",
        "max_open_files": "kiok.sandbox.open.files",
    }
)


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Limits of a sandbox. Seconds are wall clock time.

    - `file_timeout_seconds`, `jar_timeout_seconds`: for one Python file, for one jar
    - `container_deadline_seconds`: for all files of one container together, if the number of files times their
      timeout (plus 5 s each) is longer
    - `memory_bytes`: of the whole container, including tmpfs, without swap
    - `pids`: processes and threads of the container
    - `cpus`, `jar_cpus`: of a Python container, of a jar container (a JVM compiles in the background)
    - `max_payload_bytes`: of the compiled form of one file
    - `max_output_bytes`: of the kept tail of one file's output
    - `src_bytes`, `src_inodes`: of the tree under /src, in 4 KiB pages, in files and folders
    - `tmp_bytes`, `tmp_inodes`: of /tmp
    - `max_file_bytes`, `max_open_files`: of any single written file; open descriptors of one process
    """

    file_timeout_seconds: float = 30.0
    jar_timeout_seconds: float = 60.0
    container_deadline_seconds: float = 1800.0
    memory_bytes: int = 512 * _MIB
    pids: int = 64
    cpus: float = 1.0
    jar_cpus: float = 2.0
    max_payload_bytes: int = 1 * _MIB
    max_output_bytes: int = 8 << 10
    src_bytes: int = 64 * _MIB
    src_inodes: int = 20_000
    tmp_bytes: int = 16 * _MIB
    tmp_inodes: int = 2_000
    max_file_bytes: int = 64 * _MIB
    max_open_files: int = 256

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that is not positive."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"the sandbox limit {field.name} is {value!r}; it must be greater than 0")

    @classmethod
    def of(cls, value_of: Callable[[str], Any]) -> SandboxLimits:
        """Return the limits set by the properties; `value_of` returns a property's value by its name."""
        return cls(
            **{
                field: value_of(name) / 1000 if name.endswith(".ms") else value_of(name)
                for field, name in PROPERTIES.items()
            }
        )

    def setting(self, field: str) -> str:
        """Return a limit in the notation of an operator: `kiok.sandbox.file.timeout.ms = 30000`."""
        name, value = PROPERTIES[field], getattr(self, field)
        return f"{name} = {value * 1000 if name.endswith('.ms') else value:.12g}"

    def timeout_seconds(self, language: Language) -> float:
        """Return the wall clock time that one file of this language may take."""
        seconds: float = getattr(self, language.timeout_limit)
        return seconds

    def deadline_seconds(self, language: Language, files: int) -> float:
        """Return the wall clock time that one container may take for this number of files."""
        return min(self._full_seconds(language, files), self.container_deadline_seconds)

    def is_deadline_short(self, language: Language, files: int) -> bool:
        """Return whether a container's deadline is too short for these files if each uses its full time."""
        return self.container_deadline_seconds < self._full_seconds(language, files)

    def _full_seconds(self, language: Language, files: int) -> float:
        return files * (self.timeout_seconds(language) + _FILE_OVERHEAD_SECONDS)

    def cpus_for(self, language: Language) -> float:
        """Return the number of CPUs of a container for this language."""
        cpus: float = getattr(self, language.cpus_limit)
        return cpus

    def process_memory_bytes(self, language: Language) -> int:
        """Return the limit of private writable memory of one file's process; 0 means only the container's limit applies.

        A Python file that needs too much memory then gets a MemoryError with a line number instead of
        the kernel's SIGKILL. A JVM reserves far more memory than it uses, and has its own heap limit.
        """
        if not language.is_process_memory_limited:
            return 0
        return max(self.memory_bytes - _RESERVED_MEMORY_BYTES, _MIN_PROCESS_MEMORY_BYTES)

    def fingerprint(self) -> str:
        """Return a text that differs if any limit that can change a file's result differs.

        It is stored with results: a file is compiled again when it changes.
        """
        return "limits-1:" + ",".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))
