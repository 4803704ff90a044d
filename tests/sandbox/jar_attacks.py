"""Make the hostile jars from the files in tests/sandbox/attacks/jars."""

from __future__ import annotations

import io
import re
import runpy
import zipfile
from collections.abc import Callable, Mapping

from tests.sandbox.attacks import JARS, Attack
from tests.sandbox.jar_runs import zipped
from tests.sandbox.javac import compile_jar

# For jars that do not hang: never reached. In one that hangs, the hostile class gets half, the good one the rest.
LIMIT_SECONDS = 40.0

Classes = Callable[[str], Mapping[str, bytes]]


def path_of(attack: Attack) -> str:
    """Return the path of an attack in its tree."""
    return f"{attack.name}.jar"


def compiled_classes(java_builder_image: str) -> Classes:
    """Compile all classes in one compiler run. Return a function that returns the entries of a class by its name."""
    sources = {path.name: path.read_text() for path in (*JARS.glob("*.java"), *JARS.glob("support/*.java"))}
    with zipfile.ZipFile(io.BytesIO(compile_jar(sources, image=java_builder_image))) as all_classes:
        entries = {name: all_classes.read(name) for name in all_classes.namelist()}

    def classes(name: str) -> Mapping[str, bytes]:
        """Return a class and its nested classes."""
        return {path: entries[path] for path in entries if re.split(r"[.$]", path)[0] == name}

    return classes


def jar_of(attack: Attack, classes: Classes) -> bytes:
    """Return the hostile jar: a class with a good one next to it, or what the attack's own program makes."""
    if attack.path.suffix == ".java":
        return zipped({**classes(attack.name), **classes("ZSound")})
    made = runpy.run_path(str(attack.path))["jar"](classes)
    assert isinstance(made, bytes)
    return made


def uncompiled(classes: Classes) -> Mapping[str, bytes]:
    """Return the files of the tree that are not compiled."""
    return {"other.jar": zipped(classes("Other"))}
