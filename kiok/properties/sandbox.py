"""Properties of the containers that compile DAG files (`kiok.sandbox.*`)."""

from __future__ import annotations

from dataclasses import dataclass

from kiok.properties.parsers import ABSOLUTE_PATH, IMAGE_REFERENCE, integer, number, text
from kiok.properties.property import MIB, byte_count, milliseconds, row


@dataclass(frozen=True)
class SandboxProperties:
    """Properties of the containers that compile DAG files (`kiok.sandbox.*`)."""

    sandbox_image_python: str = row(
        "kiok.sandbox.image.python",
        IMAGE_REFERENCE,
        "kiok-sandbox-python:dev",
        "Container image that compiles *.py.",
    )
    sandbox_image_java: str = row(
        "kiok.sandbox.image.java",
        IMAGE_REFERENCE,
        "kiok-sandbox-java:dev",
        "Container image that compiles *.jar.",
    )
    sandbox_runtime: str = row(
        "kiok.sandbox.runtime",
        text("an OCI runtime that the engine knows, such as runsc", empty=True),
        "",
        "OCI runtime of the containers; empty: the engine's default.",
    )
    sandbox_podman_seccomp_path: str = row(
        "kiok.sandbox.podman.seccomp.path",
        ABSOLUTE_PATH,
        "",
        "Path of compilers/sandbox/seccomp.json on the Podman host; empty: its path in this installation.",
    )
    sandbox_pool_size: int = row(
        "kiok.sandbox.pool.size",
        integer(0, 32),
        1,
        "Number of warm containers for each language; 0: none.",
    )
    sandbox_parallelism: int = row(
        "kiok.sandbox.parallelism",
        integer(1, 64),
        2,
        "Maximum number of containers that compile the files of one large sync in parallel.",
    )
    sandbox_memory_bytes: int = row(
        "kiok.sandbox.memory.bytes",
        byte_count(64 * MIB),
        512 * MIB,
        "Memory of a container, including its temporary files and sources; no swap.",
    )
    sandbox_pids: int = row(
        "kiok.sandbox.pids", integer(16, 4096), 64, "Maximum number of processes and threads in a container."
    )
    sandbox_cpus: float = row(
        "kiok.sandbox.cpus", number(0.1, 256), 1.0, "CPUs of a container that compiles Python files."
    )
    sandbox_jar_cpus: float = row(
        "kiok.sandbox.jar.cpus", number(0.1, 256), 2.0, "CPUs of a container that compiles jars."
    )
    sandbox_file_timeout_ms: int = row(
        "kiok.sandbox.file.timeout.ms",
        milliseconds(100),
        30_000,
        "Time limit for compiling one Python file.",
    )
    sandbox_jar_timeout_ms: int = row(
        "kiok.sandbox.jar.timeout.ms", milliseconds(100), 60_000, "Time limit for compiling one jar."
    )
    sandbox_payload_bytes: int = row(
        "kiok.sandbox.payload.bytes",
        byte_count(1024),
        MIB,
        "Maximum size of the compiled result of one file.",
    )
    sandbox_output_bytes: int = row(
        "kiok.sandbox.output.bytes",
        byte_count(1),
        8192,
        "Maximum amount of a file's printed output that is kept.",
    )
    sandbox_src_bytes: int = row(
        "kiok.sandbox.src.bytes", byte_count(MIB), 64 * MIB, "Space for source files in a container."
    )
    sandbox_src_inodes: int = row(
        "kiok.sandbox.src.inodes",
        integer(100),
        20_000,
        "Maximum number of source files and folders in a container.",
    )
    sandbox_tmp_bytes: int = row(
        "kiok.sandbox.tmp.bytes", byte_count(MIB), 16 * MIB, "Space for temporary files in a container."
    )
    sandbox_tmp_inodes: int = row(
        "kiok.sandbox.tmp.inodes",
        integer(100),
        2000,
        "Maximum number of temporary files and folders in a container.",
    )
    sandbox_file_bytes: int = row(
        "kiok.sandbox.file.bytes",
        byte_count(MIB),
        64 * MIB,
        "Maximum size of a file that is written in a container.",
    )
    sandbox_open_files: int = row(
        "kiok.sandbox.open.files",
        integer(64, 65_536),
        256,
        "Maximum number of open files of one process in a container.",
    )
    sandbox_deadline_ms: int = row(
        "kiok.sandbox.deadline.ms",
        milliseconds(1000),
        1_800_000,
        "Time limit for compiling all files of one container.",
    )
