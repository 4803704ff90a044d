"""Finding DAG classes in a jar, and unusual jars. For hostile ones see test_attacks_jars.py."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from compilers.sandbox.docker import DockerSandbox
from tests.sandbox.jar_runs import rezipped, run_jar, run_jars, zipped
from tests.sandbox.javac import compile_jar

pytestmark = pytest.mark.usefixtures("java_builder_image")

IMPORTS = "import com.cloudcheflabs.kiok.sdk.*;\n"


def _class(
    name: str, dag_id: str, *, declared: str = "public class", members: str = "", task: str = '"true"'
) -> str:
    return (
        f"{declared} {name} implements KiokDag {{ {members}\n"
        f'    public Dag define() {{ Dag dag = new Dag("{dag_id}"); dag.task("t").shell({task}); return dag; }}\n}}\n'
    )


def test_every_concrete_class_with_a_public_constructor_is_defined(sandbox: DockerSandbox) -> None:
    source = (
        "package com.acme;\n"
        + IMPORTS
        + _class("Plain", "plain")
        + _class("Hidden", "hidden", declared="class", members="public Hidden() {}")
        + _class(
            "Outer",
            "outer",
            declared="class",
            members="public Outer() {} " + "public static class Nested extends Base {}",
        )
        + _class("Base", "base", declared="abstract class")
        + "class Heir extends Base { public Heir() {} }\n"
        + "interface Daily extends KiokDag {}\n"
        + _class("ByInterface", "x", declared="class", members="public ByInterface() {}")
        .replace("implements KiokDag", "implements Daily")
        .replace('"x"', '"by_interface"')
        + "class Unrelated { public Unrelated() { throw new IllegalStateException(); } }\n"
    ).replace('Dag("base")', "Dag(getClass().getSimpleName())")

    run = run_jar(sandbox, compile_jar({"com/acme/Plain.java": source}))

    assert (run.messages, run.doubts) == ([], [])
    assert run.dag_ids == ["by_interface", "Heir", "hidden", "outer", "Nested", "plain"]


UNUSABLE = {
    "Private": (_class("Private", "x", members="private Private() {}"), "is not public"),
    "Protected": (_class("Protected", "x", members="protected Protected() {}"), "is not public"),
    "PackagePrivate": (_class("PackagePrivate", "x", declared="class"), "is not public"),
    "Parametrised": (
        _class("Parametrised", "x", members="public Parametrised(String region) {}"),
        "each of its constructors takes arguments",
    ),
    "Enum": (_class("Enum", "x", declared="public enum", members="ONE;"), "is an enum"),
    "AbstractEnum": (
        "public enum AbstractEnum implements KiokDag "
        '{ ONE { public Dag define() { return new Dag("x"); } } }\n',
        "is an enum",
    ),
    "Components": (
        _class("Components", "x", declared="public record", members="").replace(
            "Components implements", "Components(String region) implements"
        ),
        "is a record with components",
    ),
    "Kotlin": (
        _class(
            "Kotlin", "x", members="public static final Kotlin INSTANCE = new Kotlin(); private Kotlin() {}"
        ),
        "is a singleton, as objects of Kotlin and Scala are",
    ),
    "Scala$": (
        _class(
            "Scala$", "x", members="public static final Scala$ MODULE$ = new Scala$(); private Scala$() {}"
        ),
        "is a singleton",
    ),
    "Outer$Inner": (
        f"public class Outer {{ {_class('Inner', 'x')} }}\n",
        "is an inner class, whose constructor takes the outer object",
    ),
}


def test_each_class_that_cannot_be_a_dag_is_an_error_with_the_rule(
    sandbox: DockerSandbox,
) -> None:
    sources = {f"{name.partition('$Inner')[0]}.java": IMPORTS + text for name, (text, _) in UNUSABLE.items()}
    sources["Outer.java"] = IMPORTS + UNUSABLE["Outer$Inner"][0]
    sources["Good.java"] = IMPORTS + _class("Good", "good")
    run = run_jar(sandbox, compile_jar(sources, release=17))
    assert (run.dag_ids, run.doubts) == (["good"], [])
    for name, (_, why) in UNUSABLE.items():
        message = run.about(name).message
        assert "it implements KiokDag, but" in message
        assert why in message
        assert "a DAG class needs a public constructor without arguments" in message
    assert len(run.messages) == len(UNUSABLE)


def test_a_class_that_another_creates_or_extends_is_only_a_doubt(sandbox: DockerSandbox) -> None:
    sources = {
        "Helper.java": IMPORTS + _class("Helper", "x", members="Helper(String region) {}"),
        "Base.java": IMPORTS + _class("Base", "x", members="protected Base() {}"),
        "Shared.java": IMPORTS + "public abstract class Shared implements KiokDag {}",
        "Heir.java": IMPORTS + _class("Heir", "heir").replace("implements KiokDag", "extends Base"),
        "Uses.java": IMPORTS
        + 'public class Uses extends Shared { public Dag define() { return new Helper("eu").define(); } }',
        "Local.java": "class Local { Object it = new com.cloudcheflabs.kiok.sdk.KiokDag() "
        "{ public com.cloudcheflabs.kiok.sdk.Dag define() { return null; } }; }",
    }
    run = run_jar(sandbox, compile_jar(sources))
    assert (run.dag_ids, run.messages) == (["heir", "x"], [])
    assert [text.partition(":")[0] for text in run.doubts] == ["class Base", "class Helper"]


def test_a_class_that_may_be_a_dag_is_a_doubt(sandbox: DockerSandbox) -> None:
    sources = {
        "com/acme/Gone.java": "package com.acme; public class Gone {}",
        "com/acme/Child.java": "package com.acme; public class Child extends Gone {}",
        "Forgot.java": IMPORTS + _class("Forgot", "forgot").replace("implements KiokDag", ""),
        "Abandoned.java": IMPORTS
        + 'public abstract class Abandoned { public Dag define() { return new Dag("abandoned"); } }',
        "Orphan.java": "public class Orphan extends Abandoned {}",
        "Good.java": IMPORTS + _class("Good", "good"),
    }
    jar = rezipped(
        compile_jar(sources),
        without=frozenset({"com/acme/Gone.class"}),
        changed={"Cut.class": b"\xca\xfe", "lib/a.jar": b"PK", "lib/b.jar": b"PK"},
    )
    run = run_jar(sandbox, jar)
    assert (run.dag_ids, run.messages) == (["good"], [])
    assert run.doubts == [
        "entry Cut.class is no valid class file: truncated or inconsistent",
        "class Forgot: it has a method define() that returns a Dag, but does not implement KiokDag; "
        "add 'implements KiokDag' if it is a DAG class",
        "class Orphan: it has a method define() that returns a Dag, but does not implement KiokDag; "
        "add 'implements KiokDag' if it is a DAG class",
        "class com.acme.Child: it is unknown whether it defines a DAG, because com.acme.Gone is not in the jar; "
        "a jar must contain its own dependencies",
        "jars inside the jar are not read: lib/a.jar, lib/b.jar; unpack them into one jar if they hold DAG classes",
    ]


FOLDERS = {
    "BOOT-INF/classes/": "Build a plain jar, not an executable or web archive",
    "WEB-INF/classes/": "Build a plain jar, not an executable or web archive",
    "META-INF/versions/17/": "multi-release jars are read as plain jars",
    "classes/": "classes are read only from the root of the jar, this one from com/acme/Heir.class",
}


def test_a_dag_class_whose_path_differs_from_its_name_is_an_error(sandbox: DockerSandbox) -> None:
    sources = {
        "com/acme/Base.java": "package com.acme;\n"
        + IMPORTS
        + "public abstract class Base implements KiokDag {}",
        "com/acme/Heir.java": "package com.acme;\n"
        + IMPORTS
        + _class("Heir", "heir").replace("implements KiokDag", "extends Base"),
    }
    jar = compile_jar(sources)
    with zipfile.ZipFile(io.BytesIO(jar)) as opened:
        classes = {name: opened.read(name) for name in opened.namelist() if name.endswith(".class")}
    jars = {}
    for folder in FOLDERS:
        moved = {folder + name: content for name, content in classes.items()}
        jars[f"{folder}moved.jar"] = zipped(moved)
        jars[f"{folder}both.jar"] = rezipped(jar, changed=moved)
    runs = run_jars(sandbox, jars)
    for folder, advice in FOLDERS.items():
        run, both = runs[f"{folder}moved.jar"], runs[f"{folder}both.jar"]
        assert run.dag_ids == [], folder
        assert advice in run.about("com.acme.Heir").message, folder
        assert (both.dag_ids, both.messages, both.doubts) == (["heir"], [], []), folder


def test_a_jar_without_a_dag_class_is_reported_as_no_dag_file(sandbox: DockerSandbox) -> None:
    library = compile_jar({"Library.java": "public class Library { public Library() { System.exit(1); } }"})
    two = compile_jar({"A.java": "class A {}", "B.java": "class B {}"})
    runs = run_jars(sandbox, {"one.jar": library, "two.jar": two, "none.jar": zipped({"a.txt": b""})})
    reasons = []
    for run in runs.values():
        assert (run.dag_ids, run.messages, run.compiled.import_failed) == ([], [], False)
        assert run.compiled.not_a_dag is not None
        reasons.append(run.compiled.not_a_dag.message)
    assert reasons == [
        "its only class is not a concrete class that implements com.cloudcheflabs.kiok.sdk.KiokDag",
        "none of its 2 classes is a concrete class that implements com.cloudcheflabs.kiok.sdk.KiokDag",
        "the jar holds no class",
    ]


def test_classes_that_are_no_dags_may_lack_what_they_need(sandbox: DockerSandbox) -> None:
    sources = {
        "Good.java": IMPORTS + _class("Good", "good"),
        "Gone.java": "public class Gone {}",
        "Broken.java": "public class Broken extends Gone { public Broken() {} }",
    }
    jar = rezipped(
        compile_jar(sources),
        without=frozenset({"Gone.class"}),
        changed={"Template.class": b"no class at all", "META-INF/versions/99/Good.class": b"x"},
    )
    run = run_jar(sandbox, jar)
    assert (run.dag_ids, run.messages) == (["good"], [])


def test_a_class_that_may_be_a_dag_but_misses_its_base_class_is_an_error(sandbox: DockerSandbox) -> None:
    sources = {
        "com/acme/Base.java": "package com.acme;\n"
        + IMPORTS
        + "public abstract class Base implements KiokDag {}",
        "com/acme/Heir.java": "package com.acme;\n"
        + IMPORTS
        + 'public class Heir extends Base { public Dag define() { return new Dag("heir"); } }',
    }
    jar = rezipped(compile_jar(sources), without=frozenset({"com/acme/Base.class"}))
    run = run_jar(sandbox, jar)
    assert "com.acme.Base is not in the jar" in run.about("com.acme.Heir").message


def test_a_damaged_class_that_speaks_of_the_sdk_is_an_error(sandbox: DockerSandbox) -> None:
    jar = compile_jar(
        {"Good.java": IMPORTS + _class("Good", "good"), "Bad.java": IMPORTS + _class("Bad", "bad")}
    )
    with zipfile.ZipFile(io.BytesIO(jar)) as opened:
        cut = opened.read("Bad.class")[:-40]
    run = run_jar(sandbox, rezipped(jar, changed={"Bad.class": cut}))
    assert run.dag_ids == ["good"]
    assert run.messages == ["entry Bad.class is no valid class file: truncated or inconsistent"]


def test_a_class_of_a_later_java_fails_alone_and_names_the_release(sandbox: DockerSandbox) -> None:
    jar = compile_jar(
        {"Good.java": IMPORTS + _class("Good", "good"), "Late.java": IMPORTS + _class("Late", "late")}
    )
    with zipfile.ZipFile(io.BytesIO(jar)) as opened:
        late = bytearray(opened.read("Late.class"))
    late[6:8] = struct.pack(">H", 44 + 99)
    run = run_jar(sandbox, rezipped(jar, changed={"Late.class": bytes(late)}))
    assert run.dag_ids == ["good"]
    assert "class Late: needs Java 99 (class file version 143), but the sandbox runs Java" in run.messages[0]


def test_class_files_up_to_the_sandboxs_java_load(sandbox: DockerSandbox) -> None:
    sources = {"Good.java": IMPORTS + _class("Good", "good")}
    runs = run_jars(sandbox, {f"{java}.jar": compile_jar(sources, release=java) for java in (8, 11, 17)})
    for path, run in runs.items():
        assert (run.dag_ids, run.messages) == (["good"], []), path


def test_a_jar_may_carry_its_dependencies_and_resources(sandbox: DockerSandbox) -> None:
    sources = {
        "com/acme/Uses.java": "package com.acme;\n"
        + IMPORTS
        + _class(
            "Uses",
            "uses",
            task="org.dep.Text.read() + java.util.ServiceLoader.load(org.dep.Source.class).iterator().next().get()",
        ),
        "org/dep/Source.java": "package org.dep; public interface Source { String get(); }",
        "org/dep/Text.java": """package org.dep;
            public class Text implements Source {
                public String get() { return " from a service"; }
                public static String read() {
                    try (java.util.Scanner in = new java.util.Scanner(
                            Text.class.getResourceAsStream("/sql/a query!.sql"), "UTF-8")) { return in.nextLine(); }
                }
            }""",
    }
    resources = {
        "sql/a query!.sql": "SELECT 'é'".encode(),
        "META-INF/services/org.dep.Source": b"org.dep.Text",
    }
    run = run_jars(sandbox, {"jars with space!/dags é.jar": compile_jar(sources, resources=resources)})
    (only,) = run.values()
    assert only.messages == []
    assert only.compiled.dags[0].tasks[0].script == "SELECT 'é' from a service"


def test_a_copy_of_the_sdk_inside_the_jar_does_not_replace_the_sandboxs(sandbox: DockerSandbox) -> None:
    jar = compile_jar({"Good.java": IMPORTS + _class("Good", "good")}, carry_sdk=True)
    with zipfile.ZipFile(io.BytesIO(jar)) as opened:
        assert "com/cloudcheflabs/kiok/sdk/Dag.class" in opened.namelist()
    run = run_jar(sandbox, jar)
    assert (run.dag_ids, run.messages) == (["good"], [])


def test_one_class_does_not_see_what_another_left_in_static_fields(sandbox: DockerSandbox) -> None:
    sources = {
        "Shared.java": 'class Shared { static int count; static String next() { return "n" + ++count; } }',
        "A.java": IMPORTS + _class("A", "a", task="Shared.next()"),
        "B.java": IMPORTS + _class("B", "b", task="Shared.next()"),
    }
    run = run_jar(sandbox, compile_jar(sources))
    assert [dag.tasks[0].script for dag in run.compiled.dags] == ["n1", "n1"]


def test_an_id_given_by_two_classes_names_both_and_registers_neither(sandbox: DockerSandbox) -> None:
    sources = {
        f"{name}.java": IMPORTS + _class(name, dag)
        for name, dag in (("A", "same"), ("B", "same"), ("C", "c"))
    }
    run = run_jar(sandbox, compile_jar(sources))
    assert run.dag_ids == ["c"]
    (diagnostic,) = run.compiled.diagnostics
    assert "classes A and B define DAGs with the same id" in diagnostic.message
    assert diagnostic.dag == "same"


def test_output_of_a_class_is_kept_and_does_not_change_its_result(sandbox: DockerSandbox) -> None:
    members = '{ System.out.println("to out"); System.err.println("to err"); }'
    run = run_jar(
        sandbox, compile_jar({"Prints.java": IMPORTS + _class("Prints", "prints", members=members)})
    )
    assert run.dag_ids == ["prints"]
    assert "to out" in run.output
    assert "to err" in run.output
