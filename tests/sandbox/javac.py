"""Make jars for tests: compile Java in a container with a JDK, because test machines have none."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping

BUILDER_IMAGE = os.environ.get("KIOK_IMAGE_JAVA_BUILDER", "kiok-java-builder:dev")
SDK_JAR = "/out/kiok-sdk.jar"

# Input: sources, an API to compile against (the SDK unless `api` is there) and resources. Output: a jar.
_COMPILE = f"""
set -e
mkdir /tmp/work /tmp/classes /tmp/api && cd /tmp/work && tar -x
class_path={SDK_JAR}
if [ -d api ]; then
    javac -nowarn -encoding UTF-8 --release "$1" -d /tmp/api $(find api -name '*.java') >&2
    class_path=/tmp/api
fi
if [ -d src ]; then
    find src -name '*.java' >files
    javac -nowarn -encoding UTF-8 -Xlint:-options --release "$1" -d /tmp/classes -cp "$class_path" @files >&2
fi
if [ -d resources ]; then cp -R resources/. /tmp/classes/; fi
if [ "$2" = with-sdk ]; then (cd /tmp/classes && jar -x -f {SDK_JAR}); fi
jar --create --file /tmp/out.jar --no-manifest -C /tmp/classes .
cat /tmp/out.jar
"""


def compile_jar(
    sources: Mapping[str, str],
    *,
    api: Mapping[str, str] | None = None,
    resources: Mapping[str, bytes] | None = None,
    release: int = 8,
    carry_sdk: bool = False,
    image: str = BUILDER_IMAGE,
) -> bytes:
    """Return a jar of the compiled `sources` (path to text) and of `resources` (path to content).

    They are compiled against the SDK, or only against `api`, which is then discarded. With `carry_sdk` the jar
    contains a copy of the SDK, like jars with all their dependencies. Fails with the compiler's messages.
    """
    files = {f"src/{path}": text.encode() for path, text in sources.items()}
    files |= {f"api/{path}": text.encode() for path, text in (api or {}).items()}
    files |= {f"resources/{path}": content for path, content in (resources or {}).items()}
    return in_builder(_COMPILE, str(release), "with-sdk" if carry_sdk else "", files=files, image=image)


def in_builder(
    script: str, *arguments: str, files: Mapping[str, bytes] | None = None, image: str = BUILDER_IMAGE
) -> bytes:
    """Return the output of a shell script in a throwaway container with the JDK; `files` are a tar on its stdin."""
    container = ["docker", "run", "--rm", "--interactive", "--network", "none", image]
    run = subprocess.run(
        [*container, "sh", "-c", script, "sh", *arguments],
        input=_tar(files or {}),
        capture_output=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return run.stdout


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()
