"""The JVM of the first jar, started before the jar arrives: its warm-up has no visible effect on the result."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Iterator, Mapping

import docker
import pytest

from compilers.formats.jar import JAVA
from compilers.sandbox.base import CompileOutcome, RawResult, SandboxJob
from compilers.sandbox.config import LABEL_SERVICE, SandboxConfig
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from kiok.compiled import decode
from tests.sandbox.jar_runs import rezipped
from tests.sandbox.javac import compile_jar
from tests.support.trees import MemoryTree

IMPORTS = "import com.cloudcheflabs.kiok.sdk.*;\nimport java.util.*;\nimport java.io.*;\n"
READY_SECONDS = 180


def _class(name: str, body: str) -> dict[str, str]:
    source = f"public class {name} implements KiokDag {{ public Dag define() {{ try {{\n{body}\n"
    return {
        f"{name}.java": f"{IMPORTS}{source}}} catch (IOException e) {{ throw new UncheckedIOException(e); }} }} }}"
    }


def _telling(what: str) -> str:
    return f"""
        String told = {what}; if (told == null) throw new IOException();
        Dag dag = new Dag("tells"); dag.task("t").shell(told); return dag;"""


GOOD = """
    Dag dag = new Dag("good").schedule("0 3 * * *");
    Map<String, Integer> sizes = new TreeMap<>(Map.of("a", 1, "b", 2));
    sizes.forEach((name, size) -> dag.task("load_" + name).shell(String.format("load %s %03d", name, size)));
    dag.task("last").python("print('é')").requires(sizes.keySet().stream().map(k -> "load_" + k).toArray(String[]::new));
    if (sizes.isEmpty()) throw new IOException();
    return dag;"""

SOURCES = {
    "good": _class("Good", GOOD),
    "throws": _class("Throws", 'System.out.println("out"); throw new IOException("no such region");'),
    "exits": _class("Exits", 'if (true) System.exit(0); throw new IOException("x");') | _class("Good", GOOD),
    "forges": _class(
        "Forges",
        """for (String fd : new File("/proc/self/fd").list()) {
            try (FileOutputStream out = new FileOutputStream("/proc/self/fd/" + fd)) { out.write(new byte[64]); }
            catch (IOException e) {} }
        throw new IOException("x");""",
    )
    | _class("Good", GOOD),
    "fills": _class(
        "Fills",
        """List<long[]> all = new ArrayList<>(); while (!all.contains(null)) { all.add(new long[1 << 17]); }
        throw new IOException("x");""",
    )
    | _class("Good", GOOD),
    # The process as the jar's code sees it: standard input, arguments, environment, descriptors.
    "reads its input": _class("Reads", _telling('("" + System.in.read() + System.in.available())')),
    "reads its environment": _class("Env", _telling("new TreeMap<>(System.getenv()).toString()")),
    "reads its directory": _class("Dir", _telling('new File("").getAbsolutePath()')),
    "tells its room": _class(
        "Room",
        _telling(
            '(Runtime.getRuntime().maxMemory() >> 20) + " MiB, "'
            ' + Runtime.getRuntime().availableProcessors() + " processors"'
        ),
    ),
    "counts processes": _class(
        "Peers", _telling('("" + new File("/proc").listFiles(f -> f.getName().matches("[0-9]+")).length)')
    ),
    "lists threads": _class(
        "Threads",
        _telling(
            "Thread.getAllStackTraces().keySet().stream().map(Thread::getName).sorted().toList().toString()"
        ),
    ),
}
BROKEN = {
    "empty": b"",
    "no zip": b"PK\x03\x04 but not really",
    "pointer": b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.fixture(scope="module")
def jars(java_builder_image: str) -> dict[str, bytes]:
    """Return good, broken and hostile jars by name."""
    classes = {path: source for sources in SOURCES.values() for path, source in sources.items()}
    whole = compile_jar(classes, release=17)
    others = {
        name: frozenset(_class_files(classes) - _class_files(sources)) for name, sources in SOURCES.items()
    }
    return {name: rezipped(whole, without=others[name]) for name in SOURCES} | BROKEN


def _class_files(sources: Mapping[str, str]) -> set[str]:
    return {path.replace(".java", ".class") for path in sources}


@pytest.fixture
def pooled(java_image: str, service: str) -> Iterator[DockerSandbox]:
    sandbox = DockerSandbox(SandboxConfig(images={JAVA: java_image}, pool_size=1))
    yield sandbox
    sandbox.pool.clear(service)


@pytest.fixture
def ready(
    pooled: DockerSandbox, engine: docker.DockerClient, service: str
) -> docker.models.containers.Container:
    """Return a warm container, whose JVM has finished its warm-up and waits."""
    assert pooled.pool.fill(service, "the maintainer").started == 1
    (found,) = engine.containers.list(filters={"label": f"{LABEL_SERVICE}={service}"})
    deadline = time.monotonic() + READY_SECONDS
    while not _waits_for_its_order(found):
        assert time.monotonic() < deadline, "the JVM started ahead never waited for its order"
    return found


# Waits some seconds until the JVM's main thread waits, in the kernel, at the pipe that is its standard input. One command
# that waits is cheaper than many that check.
_WAITING = """
for round in $(seq 50); do
    for process in /proc/[0-9]*; do
        if read -r name <$process/comm && [ "$name" = java ]; then
            case "$(cat $process/task/*/wchan)" in *pipe_read*) echo pipe_read; exit ;; esac
        fi
    done
    sleep 0.2
done
"""


def _waits_for_its_order(container: docker.models.containers.Container) -> bool:
    run = container.exec_run(["sh", "-c", _WAITING])
    return b"pipe_read" in run.output


def _run(sandbox: DockerSandbox, service: str, files: dict[str, bytes]) -> list[RawResult]:
    tree = MemoryTree(files)
    labels = ((LABEL_SERVICE, service), ("kiok.sync", "1"))
    job = SandboxJob(language=JAVA, files=list(files), entries=tree.entries, tree=tree, labels=labels)
    return list(sandbox.run(job))


@pytest.mark.parametrize("name", [*SOURCES, *BROKEN])
@pytest.mark.usefixtures("ready")
def test_a_jar_gives_the_same_in_a_jvm_that_waited_as_in_a_fresh_one(
    pooled: DockerSandbox, service: str, jars: dict[str, bytes], name: str
) -> None:
    first, second = _run(pooled, service, {"lib/1.jar": jars[name], "lib/2.jar": jars[name]})

    assert first.outcome is CompileOutcome.OK
    assert first.payload == second.payload.replace(b"lib/2.jar", b"lib/1.jar")
    assert bool(first.output) is bool(second.output)


@pytest.mark.parametrize(("memory_mib", "heap_mib"), [(512, 192), (640, 240)])
def test_a_jvms_heap_is_a_share_of_its_containers_memory(
    java_image: str, jars: dict[str, bytes], service: str, memory_mib: int, heap_mib: int
) -> None:
    limits = SandboxLimits(memory_bytes=memory_mib << 20)
    sandbox = DockerSandbox(SandboxConfig(images={JAVA: java_image}, limits=limits))
    results = _run(
        sandbox, service, {"lib/1.jar": jars["tells its room"], "lib/2.jar": jars["tells its room"]}
    )
    scripts = [decode(result.payload).dags[0].tasks[0].script for result in results]
    assert scripts == [f"{heap_mib} MiB, 2 processors"] * 2


@pytest.mark.parametrize("whose", ["java", "driver-python"])
def test_a_dead_warm_jvm_is_replaced_without_visible_effect(
    ready: docker.models.containers.Container,
    pooled: DockerSandbox,
    service: str,
    jars: dict[str, bytes],
    whose: str,
) -> None:
    """Kill only the JVM, or the process that started it: PID 1 cannot be killed from inside."""
    script = f'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != {whose} ] || kill -9 ${{p#/proc/}}; done'
    ready.exec_run(["sh", "-c", script])

    first, second = _run(pooled, service, {"lib/1.jar": jars["good"], "lib/2.jar": jars["good"]})

    assert (first.outcome, second.outcome) == (CompileOutcome.OK, CompileOutcome.OK)
    assert b'"good"' in first.payload
    assert first.payload == second.payload


def _in_image(image: str, script: str, *options: str) -> str:
    """Return the output of a Python script that can import the image's `jar_child`."""
    path = "import sys; sys.path.insert(0, '/opt/kiok/python')\n"
    command = ["docker", "run", "--rm", "--network", "none", *options, "--entrypoint", "python3", image]
    run = subprocess.run([*command, "-c", path + script], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("order", ["b''", "jvm.order_of(0, 'some.jar')[:-1]"], ids=["nothing", "a part"])
def test_a_jvm_that_waits_ends_when_its_input_does(java_image: str, order: str) -> None:
    script = f"""
from jar_child import Java, jvm
one = jvm.Jvm(Java())
one._hand_over({order})
one._close_orders()
print(one._process.wait(600))
"""
    assert _in_image(java_image, script) == "0\n"


CHECK = "from jar_child import archive; archive.check(); print('mapped')"


def test_the_image_holds_an_archive_of_classes_that_its_jvms_map(java_image: str) -> None:
    assert (
        _in_image(java_image, CHECK, "--read-only", "--user", "65532:65532", "--cap-drop", "ALL")
        == "mapped\n"
    )


def test_an_image_made_from_ours_maps_the_archive_too(
    engine: docker.DockerClient, java_image: str, service: str
) -> None:
    dockerfile = f"FROM {java_image}\nUSER 0:0\nRUN touch /opt/kiok/team.jar /opt/kiok/java/team.jar\nUSER 65532:65532\n"
    made, _ = engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=f"kiok-{service}", rm=True)
    try:
        assert _in_image(str(made.id), CHECK) == "mapped\n"
    finally:
        engine.images.remove(f"kiok-{service}")


def test_an_archive_of_another_class_path_is_not_mapped(java_image: str) -> None:
    """Prove that the two tests above can fail. JDK 21 maps an archive for copies of the jars; all compare their order."""
    script = """
import subprocess
from jar_child import Java, archive, jvm
paths = ':'.join(reversed(jvm.CLASS_PATH.split(':')))
try: archive.check(Java(class_path=paths))
except subprocess.CalledProcessError as error: print(error.returncode)
"""
    assert _in_image(java_image, script).endswith("Unable to use shared archive.\n1\n")
