"""Detection of Python files that use kiok, from their text."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import pytest

from compilers.build_cache import View
from compilers.imports import MAX_LOOKED_AT, ImportGraph
from tests.support.trees import MemoryTree

MAX_CPU_SECONDS = 20.0  # ten times as long as on an idle machine; backtracking would take hours
HELPER = {"helper.py": "from kiok import Dag"}
PACKAGE = {"pkg/__init__.py": "", "pkg/mid/__init__.py": "", "pkg/mid/leaf.py": "import kiok"}
UNRELATED = {"other.py": "import os", "x/helper.py": "", "kioko.py": "kioko"}


def mentions(
    text: str, others: Mapping[str, str] = HELPER, path: str = "a.py", roots: tuple[str, ...] = ("",)
) -> bool:
    return graph({**UNRELATED, **others, path: text}, roots).judge(path).mentions_kiok


def graph(texts: Mapping[str, str], roots: tuple[str, ...] = ("",)) -> ImportGraph:
    return ImportGraph(lambda: View(MemoryTree(texts).entries), lambda: texts, roots)


@pytest.mark.parametrize(
    "text",
    [
        "import kiok",
        "from kiok.dag import Dag",
        "# written for kiok",
        "x = 'kiok'",
        "kiok.Dag",
        "syntax error ( kiok",
    ],
)
def test_file_that_mentions_kiok_anywhere_uses_it(text: str) -> None:
    assert mentions(text, {})


@pytest.mark.parametrize(
    "text", ["", "import kioko", "my_kiok = 1", "kiokx()", "import KIOK", "import os, sys"]
)
def test_file_that_does_not_mention_kiok_does_not_use_it(text: str) -> None:
    assert not mentions(text, {})


@pytest.mark.parametrize(
    "text",
    [
        "import helper",
        "import helper as h",
        "import helper\tas h",
        "import os, helper",
        "import os as o, helper as h",
        "import os,helper;",
        "import helper  # why",
        "import helper.nothing",
        "  import\thelper",
        "x = 1; import helper",
        "try: import helper",
        "\f import helper",
        "\ufeffimport helper",
        "import os, \\\n    helper",
        "from \\\r\n  helper import x",
        "x = 1\rimport helper\r",
        "from helper import x",
        "from helper import *",
        "from helper import (\n    x,  # the (old) one\n    y,\n)",
        "from helper import(x)",
        "from helper\timport\tx",
        "if x:\n\tfrom helper import y",
        "def f():\n    import helper",
        "import os\nimport sys\nfrom os import path\nimport helper",
        "from . import helper",
        "from .helper import x",
        "from.helper import x",
        "from . helper import x",
        "'''\nimport helper\n'''",
        "from os import (\n    path,\nimport helper",
        "this is no Python (\nimport helper",
    ],
)
def test_import_in_any_form_is_followed(text: str) -> None:
    assert mentions(text)


@pytest.mark.parametrize(
    "text",
    [
        "# import helper",
        "x = 1  # import helper",
        "importhelper",
        "import helpers",
        "from helpers import helper",
        "fromage import helper" + "s",
        "from os import (x,  # helper\n)",
        "import other",
        "reimport helper",
        "from .. import helpers",
        "import x",
    ],
)
def test_text_that_is_not_an_import_is_not_followed(text: str) -> None:
    assert not mentions(text)


@pytest.mark.parametrize(
    "text",
    [
        "import pkg.mid.leaf",
        "import pkg.mid.leaf as l",
        "from pkg.mid import leaf",
        "from pkg.mid import (a, leaf)",
        "from pkg.mid.leaf import Dag",
    ],
)
def test_modules_of_packages_are_found(text: str) -> None:
    assert mentions(text, PACKAGE)


@pytest.mark.parametrize(
    "text", ["import pkg", "import pkg.mid", "from pkg import mid", "import leaf", "import mid.leaf"]
)
def test_modules_that_are_not_imported_are_not_read(text: str) -> None:
    assert not mentions(text, PACKAGE)


def test_packages_above_an_imported_module_are_read() -> None:
    files = {"pkg/__init__.py": "import kiok", "pkg/leaf.py": ""}
    assert mentions("import pkg.leaf", files)
    assert mentions("from pkg.leaf import x", files)


def test_folder_without_an_init_file_is_a_package() -> None:
    assert mentions("import space.leaf", {"space/leaf.py": "kiok"})
    assert mentions("from space import leaf", {"space/leaf.py": "kiok"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from . import sibling", True),
        ("from .sibling import x", True),
        ("from .. import uncle", True),
        ("from ..uncle import x", True),
        ("from ... import top", True),
        ("from ...top import x", True),
        ("from ............ import top", True),
        ("from ..sibling import x", False),
        ("from . import uncle", False),
        ("from .top import x", False),
    ],
)
def test_relative_imports_start_from_the_importing_file(text: str, found: bool) -> None:
    module = text.split()[1].strip(".") or text.split()[3]
    places = {"sibling": "p/q/sibling.py", "uncle": "p/uncle.py", "top": "top.py"}
    others = {place: "kiok" if name == module else "" for name, place in places.items()}
    assert mentions(text, others, path="p/q/me.py", roots=()) is found


def test_relative_import_reads_the_package_it_starts_from() -> None:
    assert mentions("from .. import NAME", {"p/__init__.py": "kiok"}, path="p/q/me.py", roots=())


def test_imports_are_followed_to_any_depth() -> None:
    chain = {f"m{number}.py": f"import m{number + 1}" for number in range(5_000)}
    assert not graph(chain).judge("m0.py").mentions_kiok
    assert graph({**chain, "m5000.py": "kiok"}).judge("m0.py").mentions_kiok


def test_import_cycles_end() -> None:
    ring = {"a.py": "import b", "b.py": "import c", "c.py": "import a, c"}
    assert not graph(ring).judge("a.py").mentions_kiok
    assert graph({**ring, "c.py": "import a\n# kiok"}).judge("b.py").mentions_kiok


def test_imports_are_found_in_the_files_folder_and_the_roots_only() -> None:
    files = {"dags/lib.py": "kiok", "deep/lib.py": ""}
    assert mentions("import lib", files, path="dags/a.py", roots=())
    assert mentions("import lib", files, path="deep/a.py", roots=("dags", ""))
    assert not mentions("import lib", files, path="deep/a.py", roots=("",))
    assert mentions("import dags.lib", files, path="deep/a.py", roots=("",))
    assert not mentions("import dags.lib", files, path="deep/a.py", roots=("dags",))


def test_imported_modules_search_the_folder_of_the_compiled_file() -> None:
    # That folder is first on sys.path, not the folder of the module that imports.
    files = {"lib/step.py": "import near", "dags/near.py": "kiok", "lib/near.py": ""}
    assert mentions("import lib.step", files, path="dags/a.py")
    assert not mentions("import lib.step", {**files, "dags/near.py": ""}, path="dags/a.py")


def test_module_found_in_several_folders_is_read_in_each() -> None:
    # Whichever comes first may fail to be a package, or be hidden by one of the standard library.
    files = {"dags/lib.py": "", "lib.py": "kiok"}
    assert mentions("import lib", files, path="dags/a.py", roots=("",))


def test_one_graph_answers_for_each_file() -> None:
    texts = {
        "a/one.py": "import shared",
        "a/two.py": "import shared, a.one",
        "b/three.py": "import shared",
        "shared.py": "import tool",
        "a/tool.py": "",
        "b/tool.py": "kiok",
    }
    judge = graph(texts).judge
    for _ in range(2):
        assert {path for path in texts if judge(path).mentions_kiok} == {"b/three.py", "b/tool.py"}


def test_result_names_every_path_it_depends_on_found_or_not() -> None:
    texts = {"dags/a.py": "import lib, gone", "lib.py": "from pkg import x", "pkg/__init__.py": ""}
    verdict = graph(texts, ("",)).judge("dags/a.py")
    assert not verdict.mentions_kiok
    looked_at = verdict.looked_at
    assert looked_at is not None
    assert {"lib.py", "gone.py", "dags/gone.py", "pkg/__init__.py", "pkg/x.py", "dags/pkg.py"} <= looked_at
    for path in sorted(path for path in looked_at if path.endswith(".py")):
        assert graph({**texts, path: "kiok"}, ("",)).judge("dags/a.py").mentions_kiok, path


def test_reachable_paths_include_missing_ones_at_any_depth() -> None:
    texts = {
        "dags/a.py": "import kiok, lib, gone",
        "lib.py": "from pkg import x",
        "pkg/__init__.py": "import a",
        "other.py": "import unrelated",
    }
    paths = graph(texts, ("dags", "")).reachable("dags/a.py")
    assert paths is not None
    assert {"lib.py", "gone.py", "dags/gone.py", "pkg/__init__.py", "pkg/x.py", "kiok.py"} <= paths
    assert not [path for path in paths if "unrelated" in path or path == "other.py"]


def test_too_many_reachable_paths_are_none() -> None:
    chain = {f"m{number}.py": f"import m{number + 1}" for number in range(MAX_LOOKED_AT)}
    assert graph(chain).reachable("m0.py") is None


def test_result_does_not_depend_on_earlier_files() -> None:
    texts = {"a.py": "import b", "b.py": "import c", "c.py": "import a", "d.py": "import a, e"}
    judge = graph(texts).judge
    alone = {path: graph(texts).judge(path) for path in texts}
    assert {path: judge(path) for path in texts} == alone


def test_file_with_too_many_paths_has_no_list_and_the_same_result() -> None:
    chain = {f"m{number}.py": f"import m{number + 1}" for number in range(MAX_LOOKED_AT)}
    assert graph(chain).judge("m0.py").looked_at is None
    late = graph({**chain, f"m{MAX_LOOKED_AT}.py": "kiok"}).judge("m0.py")
    assert (late.mentions_kiok, late.looked_at) == (True, None)


MB = 1_000_000
HOSTILE = {
    "dots": "from " + "." * MB,
    "dots and a name": ("from " + "." * 1_000 + " import a\n") * 1_000,
    "one word": "from " + "a" * MB,
    "spaces": "from" + " " * MB + "import" + " " * MB,
    "open brackets": "from a import (\n" * (MB // 16),
    "comments in open brackets": "from a import (#(" * (MB // 17),
    "a deep module": "import " + "a." * (MB // 2),
    "many names of a deep module": "from " + "a." * (MB // 4) + "a import " + "b," * (MB // 4),
    "commas": "import " + "," * MB,
    "empty lines": "\n" * MB,
    "old line ends": "\r" * MB,
    "semicolons": "; " * (MB // 2),
    "half imports": ";from ." * (MB // 7),
    "continued lines": "from \\\n" * (MB // 7),
    "almost kiok": "kio" * (MB // 3),
    "many imports": "import helper\n" * (MB // 14),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_megabyte_of_hostile_text_is_read_quickly(text: str) -> None:
    started = time.process_time()
    assert not mentions(text, {"helper.py": "", "a/b.py": ""})
    assert time.process_time() - started < MAX_CPU_SECONDS


def test_files_that_import_each_other_are_read_once_each() -> None:
    names = [f"m{number}" for number in range(400)]
    looked_up: Counter[str] = Counter()

    class CountedTexts(dict[str, str]):
        def get(self, path: str, default: str = "") -> str:  # type: ignore[override]
            looked_up["text of " + path] += 1
            return super().get(path, default)

    class CountedView(View):
        def is_file(self, path: str) -> bool:
            looked_up["files"] += 1
            return super().is_file(path)

    texts = CountedTexts({f"{name}.py": "import " + ", ".join(names) + "\n" for name in names})
    view = CountedView(MemoryTree(texts).entries)
    judge = ImportGraph(lambda: view, lambda: texts, ("",)).judge
    assert not any(judge(path).mentions_kiok for path in texts)
    # Three for each import statement; without the shortcut for clean files, three for each pair of statements.
    assert looked_up.pop("files") < 10 * len(names) ** 2
    # For the mention of kiok, and for the imports.
    assert set(looked_up.values()) == {2}


@pytest.mark.parametrize(
    ("text", "link", "is_doubtful"),
    [
        ("from common import x", "dags/common", True),
        ("import common.base", "common", True),
        ("import common", "dags/common.py", True),
        ("from lib import common", "lib/common", True),
        ("import os", "dags/common", False),
        ("from common import x", "other/common", False),
    ],
)
def test_file_that_imports_through_a_link_may_use_kiok(text: str, link: str, is_doubtful: bool) -> None:
    tree = MemoryTree({"dags/a.py": text, "lib/x.py": "", link: "../lib"}, modes={link: "120000"})
    files = [entry for entry in tree.entries if entry.is_file]
    links = [entry for entry in tree.entries if not entry.is_file]
    made = ImportGraph(lambda: View(files, links), lambda: {"dags/a.py": text, "lib/x.py": ""}, ("dags", ""))
    assert made.judge("dags/a.py").mentions_kiok is is_doubtful
