"""Python files in encodings that Python cannot read, or only with a declaration."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from kiok.compile import compile_python_file
from kiok.source_encoding import decoded, encoding_flaw, wide_encoding

DAG = "from kiok import Dag\n\ndag = Dag('x', description='café')\ndag.task('a', script='s')\n"

WIDE = {
    "UTF-16 with a mark": ("UTF-16", DAG.encode("utf-16")),
    "UTF-16 big-endian with a mark": ("UTF-16", codecs.BOM_UTF16_BE + DAG.encode("utf-16-be")),
    "UTF-16 little-endian": ("UTF-16", DAG.encode("utf-16-le")),
    "UTF-16 big-endian": ("UTF-16", DAG.encode("utf-16-be")),
    "UTF-32 with a mark": ("UTF-32", DAG.encode("utf-32")),
    "UTF-32 little-endian": ("UTF-32", DAG.encode("utf-32-le")),
    "UTF-32 big-endian": ("UTF-32", DAG.encode("utf-32-be")),
    "UTF-16 of an odd length": ("UTF-16", DAG.encode("utf-16-le") + b"\n"),
    "UTF-16 with text of another script": ("UTF-16", (DAG + "# " + "データ" * 20).encode("utf-16-le")),
}


@pytest.mark.parametrize(("name", "content"), WIDE.values(), ids=WIDE.keys())
def test_file_in_utf_16_or_32_is_an_error_that_names_the_encoding(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "a.py").write_bytes(content)
    result = compile_python_file(tmp_path / "a.py")
    assert (result.import_failed, result.dags) == (True, ())
    assert [problem.message for problem in result.diagnostics] == [
        f"the file is in {name}, which Python does not read: save it as UTF-8"
    ]
    assert "from kiok import Dag" in decoded(content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_helper_module_in_utf_16_is_reported_where_it_is_imported(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "wide_helper.py").write_bytes("X = 1\n".encode(encoding))
    (tmp_path / "a.py").write_text("import kiok\nimport wide_helper\n")
    (problem,) = compile_python_file(tmp_path / "a.py").diagnostics
    assert problem.line == 2
    assert "a module that is imported here may be in UTF-16: save it as UTF-8" in problem.message


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (
            DAG.encode("latin-1"),
            3,
            "the file is not in UTF-8 (byte 0xe9): save it as UTF-8, or declare its encoding",
        ),
        (
            b"# coding: utf-8\n" + DAG.encode("latin-1"),
            4,
            "the file is not in UTF-8 (byte 0xe9)",
        ),
        (DAG.replace("é", "\0").encode(), 3, "the file contains a NUL byte, which is not allowed in"),
        (b"\0" * 1000, 1, "the file contains a NUL byte"),
        (
            codecs.BOM_UTF8 + b"# coding: latin-1\n" + DAG.encode("latin-1"),
            1,
            "begins with the byte order mark of UTF-8, but its encoding comment says 'latin-1'",
        ),
        (codecs.BOM_UTF8 + b"# coding: utf8\n", 1, "its encoding comment says 'utf8'"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=no-such :\n", None, "unknown encoding: no-such"),
    ],
)
def test_other_bytes_that_python_cannot_read_are_located(
    tmp_path: Path, content: bytes, line: int | None, message: str
) -> None:
    (tmp_path / "a.py").write_bytes(content)
    result = compile_python_file(tmp_path / "a.py")
    (problem,) = result.diagnostics
    assert (result.import_failed, problem.line) == (True, line)
    assert message in problem.message


@pytest.mark.parametrize(
    "content",
    [
        DAG.encode(),
        codecs.BOM_UTF8 + DAG.encode(),
        b"# -*- coding: latin-1 -*-\n" + DAG.encode("latin-1"),
        b"#!/usr/bin/env python3\n# coding: cp1252\n" + DAG.encode("cp1252"),
        codecs.BOM_UTF8 + b"# coding: UTF-8\n" + DAG.encode(),
        b"# coding: utf8\n" + DAG.encode(),
        b"# coding: utf_8_sig\n" + DAG.encode(),
        DAG.replace("\n", "\r\n").encode(),
        (DAG + "# " + "データ" * 2000).encode(),
    ],
)
def test_readable_encodings_compile(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.py").write_bytes(content)
    result = compile_python_file(tmp_path / "a.py")
    assert (result.diagnostics, [dag.description for dag in result.dags]) == ((), ["café"])


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\0", b"a\0", b"x = 1\n", bytes(range(256)), b"\x00\x01" * 50]
)
def test_other_bytes_are_not_reported_as_utf_16(content: bytes) -> None:
    assert wide_encoding(content) is None
    encoding_flaw(content)
    decoded(content)
