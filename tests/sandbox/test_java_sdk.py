"""The Java SDK: the API that existing jars link against, and the compiled form of its DAGs."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.jar_runs import run_jar
from tests.sandbox.java_stubs import EVERY_MEMBER, STUBS
from tests.sandbox.javac import compile_jar, in_builder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "jar-src"

pytestmark = pytest.mark.usefixtures("java_builder_image")


def _task(id_: str, type_: str, script: str | None = None, **more: object) -> dict[str, object]:
    return {
        "id": id_,
        "type": type_,
        "script": script,
        "requires": more.get("requires", []),
        "timeoutMs": more.get("timeout_ms"),
        "config": more.get("config", {}),
    }


EVERYTHING = {
    "id": "everything",
    "name": "everything",
    "description": None,
    "schedule": "0 3 * * *",
    "catchup": True,
    "defaultTimeoutMs": 60000,
    "tasks": [
        _task("shell", "shell", "echo shell"),
        _task("python", "python", "print(1)", requires=["shell"], timeout_ms=5000),
        _task(
            "http",
            "http",
            requires=["shell", "python"],
            config={"url": "https://hooks.example/x", "method": "POST"},
        ),
        _task(
            "livy",
            "livy",
            config={
                "livy.url": "http://livy:8998",
                "livy.file": "s3://jobs/a.jar",
                "livy.className": "com.acme.Job",
                "livy.args": '["--day","#{ds}"]',
                "livy.conf": '{"spark.a":"1","spark.b":"2"}',
                "livy.jars": '["a.jar","b.jar"]',
                "livy.driverMemory": "1g",
                "livy.executorMemory": "2g",
                "livy.numExecutors": "4",
                "livy.queue": "batch",
                "livy.name": "nightly",
                "livy.proxyUser": "etl",
                "livy.pollIntervalMs": "2500",
            },
        ),
        _task("livy2", "livy", config={"livy.url": "http://livy2:8998", "livy.file": "b.py"}),
        _task(
            "trino",
            "trino",
            "SELECT 1",
            config={
                "trino.url": "http://trino:8080",
                "trino.user": "etl",
                "trino.password": "${secret.trino}",
                "trino.catalog": "hive",
                "trino.schema": "sales",
            },
        ),
        _task(
            "class",
            "ontul",
            config={
                "ontul.jobType": "CLASS",
                "ontul.className": "com.acme.Load",
                "ontul.deps": '["a.jar","b.jar"]',
                "ontul.args": '{"from":"1","to":"2"}',
                "ontul.url": "${conn.ontul.url}",
                "ontul.token": "${secret.ontul}",
                "ontul.jobConfig": '{"memory":"4g"}',
            },
        ),
        _task(
            "script",
            "ontul",
            config={
                "ontul.jobType": "PYTHON",
                "ontul.scriptPath": "s3://jobs/load.py",
                "ontul.args": "{}",
                "ontul.url": "http://ontul",
            },
        ),
    ],
}


def test_a_jar_built_against_nothing_but_the_signatures_links_and_compiles(sandbox: DockerSandbox) -> None:
    jar = compile_jar({"com/acme/Everything.java": EVERY_MEMBER}, api=STUBS)
    assert zipfile.ZipFile(io.BytesIO(jar)).namelist().count("com/acme/Everything.class") == 1
    assert b"com/cloudcheflabs/kiok/sdk/Dag.class" not in jar  # the stubs are gone

    run = run_jar(sandbox, jar)

    assert run.messages == []
    assert [dag.to_json() for dag in run.compiled.dags] == [EVERYTHING]


def test_the_additions_to_the_published_sdk_cover_every_field_and_type(sandbox: DockerSandbox) -> None:
    source = """
    import com.cloudcheflabs.kiok.sdk.*;
    public class More implements KiokDag {
        public Dag define() {
            Dag dag = new Dag("more").name("More of it").description("Free text");
            dag.task("java").type("java").config("class", "com.acme.Main");
            dag.task("call").type("python_callable").config("module", "jobs").config("callable", "run");
            dag.task("sql").ontul("http://ontul", "BATCH", "SELECT 1");
            dag.task("script").script("echo x");
            return dag;
        }
    }
    """
    run = run_jar(sandbox, compile_jar({"More.java": source}))

    assert run.messages == []
    (dag,) = run.compiled.dags
    assert (dag.name, dag.description, dag.schedule, dag.catchup) == ("More of it", "Free text", None, False)
    assert [task.to_json() for task in dag.tasks] == [
        _task("java", "java", config={"class": "com.acme.Main"}),
        _task("call", "python_callable", config={"module": "jobs", "callable": "run"}),
        _task("sql", "ontul", "SELECT 1", config={"ontul.url": "http://ontul", "ontul.jobType": "BATCH"}),
        _task("script", "shell", "echo x"),
    ]


NASTY = [
    'quote " backslash \\ slash / newline \n return \r tab \t feed \f back \b',
    "".join(chr(code) for code in range(1, 0x21)) + "\x7f\x80\u2028\u2029",
    "Ärger, 東京, \U0001f600",
    "ﬀ\uff21",  # after the surrogates in UTF-16 order, before U+1F600 by code point
    "\U0001f600",
    "",
]


def _java_literal(text: str) -> str:
    units = text.encode("utf-16-be")
    escaped = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
    # javac reads \u000a as a line end in the middle of a literal; these characters need the language's own escapes.
    for unit, name in (("000a", "\\n"), ("000d", "\\r"), ("0022", '\\"'), ("005c", "\\\\")):
        escaped = escaped.replace(f"\\u{unit}", name)
    return f'"{escaped}"'


def test_lists_and_maps_are_encoded_byte_for_byte_as_python_does(sandbox: DockerSandbox) -> None:
    values = ", ".join(_java_literal(text) for text in NASTY)
    source = f"""
    import com.cloudcheflabs.kiok.sdk.*;
    import java.util.*;
    public class Nasty implements KiokDag {{
        public Dag define() {{
            String[] nasty = {{{values}}};
            Map<String, String> map = new HashMap<>();
            for (String text : nasty) {{ map.put(text, text); }}
            Dag dag = new Dag("nasty");
            dag.task("t").livy("u").livyFile("f").livyArgs(nasty).livyJars().ontulJobConfig(map).config("c", nasty[1]);
            return dag;
        }}
    }}
    """
    run = run_jar(sandbox, compile_jar({"Nasty.java": source}))

    assert run.messages == []
    config = run.compiled.dags[0].tasks[0].config
    assert config["livy.args"] == json.dumps(NASTY, ensure_ascii=False, separators=(",", ":"))
    assert config["livy.jars"] == "[]"
    assert config["ontul.jobConfig"] == json.dumps(
        dict(sorted((text, text) for text in NASTY)), ensure_ascii=False, separators=(",", ":")
    )
    assert config["c"] == NASTY[1]


@pytest.mark.parametrize(
    ("character", "found"),
    [("\\ud800", "surrogate"), ("\\u0000", "NUL")],
    ids=["half a surrogate pair", "NUL"],
)
def test_text_that_cannot_be_stored_is_refused_and_never_replaced(
    sandbox: DockerSandbox, character: str, found: str
) -> None:
    source = f"""
    import com.cloudcheflabs.kiok.sdk.*;
    public class Unstorable implements KiokDag {{
        public Dag define() {{
            Dag dag = new Dag("unstorable");
            dag.task("plain").shell("echo " + '{character}');
            dag.task("nested").http("u").config("x", "y").livyArgs("a" + '{character}');
            return dag;
        }}
    }}
    """
    run = run_jar(sandbox, compile_jar({"Unstorable.java": source}))

    assert run.dag_ids == []
    problems = {(d.dag, d.task, d.key): d.message for d in run.compiled.diagnostics}
    assert found in problems["unstorable", "plain", "script"]
    # In JSON text a NUL is an escape, which can be stored.
    assert (("unstorable", "nested", "livy.args") in problems) == (found == "surrogate")


def test_null_values_are_refused_with_their_key(sandbox: DockerSandbox) -> None:
    source = """
    import com.cloudcheflabs.kiok.sdk.*;
    public class Nulls implements KiokDag {
        public Dag define() {
            Dag dag = new Dag("nulls");
            dag.task("t").shell(null).config("k", null);
            return dag;
        }
    }
    """
    run = run_jar(sandbox, compile_jar({"Nulls.java": source}))

    assert run.dag_ids == []
    assert {(d.dag, d.task, d.key) for d in run.compiled.diagnostics} >= {
        ("nulls", "t", "script"),
        ("nulls", "t", "k"),
    }
    assert all(message.startswith("class Nulls: ") for message in run.messages)


def test_the_example_compiles(sandbox: DockerSandbox) -> None:
    name = "com/example/dags/NightlyExport.java"
    run = run_jar(sandbox, compile_jar({name: (EXAMPLES / name).read_text()}))
    assert run.messages == []
    (dag,) = run.compiled.dags
    assert [task.id for task in dag.tasks] == [
        "check_source",
        "export_eu",
        "export_us",
        "export_apac",
        "tell_the_team",
    ]


def test_the_sdk_is_java_8_and_is_built_the_same_each_time() -> None:
    # The image's jars in /out are of an earlier build, with other times of the sources and in another time zone.
    script = """
    set -e
    find /build/java -exec touch -d 2020-02-02 {} +
    TZ=Asia/Tokyo sh /build/java/build.sh /tmp/second >&2
    cd /tmp/second && diff -r . /out >&2
    cat kiok-sdk.jar
    """
    sdk = zipfile.ZipFile(io.BytesIO(in_builder(script)))

    classes = [name for name in sdk.namelist() if name.endswith(".class")]
    assert "com/cloudcheflabs/kiok/sdk/KiokDag.class" in classes
    assert {sdk.read(name)[6:8] for name in classes} == {b"\x00\x34"}  # 52: Java 8
    assert sdk.namelist() == sorted(sdk.namelist())
