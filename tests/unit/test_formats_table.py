"""The table of formats: rules for each entry, and that an entry is all that a format needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from compilers.discovery import discover
from compilers.formats import FORMATS, format_of, languages
from compilers.formats.base import Batch, Format
from compilers.result import FileResult, FileStatus, readable, result_of
from compilers.sandbox.language import Language
from compilers.sandbox.limits import SandboxLimits
from gitsync.models import SourceFile
from kiok.compiled import CompiledFile
from kiok.server.properties import TABLE
from kiok.yaml_dag import compile_yaml
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

DAG = "dag: {id: y}\ntasks: [{id: t, script: a}]\n"


def compile_toyml(batch: Batch) -> Iterator[FileResult]:
    wanted = {source.path: source for source in batch.sources}
    for entry, content in batch.tree.read([entry for entry in batch.tree.entries if entry.path in wanted]):
        compiled: CompiledFile = compile_yaml(content, entry.path)
        yield replace(result_of(wanted[entry.path], compiled, text=readable(content)), traced_accesses=())


def test_each_suffix_belongs_to_one_format() -> None:
    suffixes = [suffix for item in FORMATS.values() for suffix in item.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)
    assert {suffix: item.name for item in FORMATS.values() for suffix in item.suffixes} == {
        ".yaml": "yaml",
        ".yml": "yaml",
        ".py": "python",
        ".jar": "jar",
    }


@pytest.mark.parametrize("item", FORMATS.values(), ids=lambda item: item.name)
def test_format_name_fits_its_database_column(item: Format) -> None:
    assert FORMATS[item.name] is item
    assert len(item.name) <= SourceFile._meta.get_field("kind").max_length
    assert item.language is None or item.language.name == item.name


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.name)
def test_language_names_properties_and_limits_that_exist(language: Language) -> None:
    assert language.image_property in TABLE
    assert {language.timeout_limit, language.cpus_limit} <= {item.name for item in fields(SandboxLimits)}


def test_format_needs_only_its_entry_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = MemoryTree({"a.toyml": DAG, "b.TOYML": "x: [", "c.yaml": DAG, "toyml": "", ".toyml": ""})
    assert [source.path for source in discover(tree).sources] == ["c.yaml"]
    monkeypatch.setitem(FORMATS, "toyml", Format("toyml", (".toyml",), compile_toyml))

    sandbox = FakeSandbox(unavailable="no container is needed")
    files = compile_tree(tree, sandbox=sandbox).files

    assert format_of("a.toyml") is FORMATS["toyml"]
    assert [(file.source.path, file.source.kind, file.status) for file in files] == [
        ("a.toyml", "toyml", FileStatus.COMPILED),
        ("b.TOYML", "toyml", FileStatus.FAILED),
        ("c.yaml", "yaml", FileStatus.COMPILED),
    ]
