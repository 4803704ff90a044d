"""Only changes are compiled, with the same results as a full compile: real files in real containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compilers.build_cache import CachedResult
from compilers.formats.python import PYTHON
from compilers.ignore_rules import IGNORE_FILE
from compilers.result import FileResult, FileStatus
from compilers.sandbox.base import RawResult, SandboxJob
from compilers.sandbox.docker import DockerSandbox
from tests.support.compilation import compile_tree
from tests.support.fake_sandbox import FakeSandbox
from tests.support.trees import MemoryTree

HEADER = """
import os, sys
from pathlib import Path
from kiok import Dag

ROOT = Path(__file__).parents[len(Path(__file__).relative_to("/src").parts) - 1]
seen = []

def note(ask):
    try:
        seen.append(repr(ask()))
    except Exception as exc:
        seen.append(type(exc).__name__)
"""
FOOTER = """
Dag_of_this_file = Dag("d")
Dag_of_this_file.task("t", script="seen: " + "\\n".join(seen))
"""
ASKING = [
    "note(lambda: __import__('helper').V)",
    "note(lambda: __import__('lib').V)",
    "note(lambda: __import__('lib.mod', fromlist=['V']).V)",
    "note(lambda: __import__('names.x', fromlist=['V']).V)",
    "note(lambda: __import__('importlib').import_module('names').__path__[:])",
    "import helper",
    "from lib import mod",
    "note(lambda: (ROOT / 'data/one.txt').read_text())",
    "note(lambda: (ROOT / 'data/one.txt').is_file())",
    "note(lambda: (ROOT / 'data').is_dir())",
    "note(lambda: os.path.exists('/src/dags/../data/two.txt'))",
    "note(lambda: os.access('/src/data/deep/three.txt', os.R_OK))",
    "note(lambda: sorted(path.name for path in (ROOT / 'data').glob('*.txt')))",
    "note(lambda: sorted(str(path) for path in (ROOT / 'data').rglob('*')))",
    "note(lambda: sorted(os.listdir(ROOT)))",
    "note(lambda: sorted((d, sorted(n), sorted(f)) for d, n, f in os.walk('/src/data')))",
    "note(lambda: sorted((entry.name, entry.is_dir()) for entry in os.scandir('/src/lib')))",
    "note(lambda: sorted((e.name, e.stat().st_size) for e in os.scandir('/src/data') if e.is_file()))",
    "note(lambda: (os.chdir('/src/data'), open('one.txt').read(), os.chdir('/'))[1])",
    "note(lambda: os.stat('/src/data/one.txt').st_size)",
    "note(lambda: sorted(m.name for m in __import__('pkgutil').iter_modules(['/src/lib'])))",
    "note(lambda: __import__('runpy').run_path('/src/helper.py')['V'])",
    "note(lambda: __import__('subprocess').run(['cat', '/src/data/one.txt'], capture_output=True).stdout)",
    "note(lambda: [open(os.open('/src/data/one.txt', os.O_RDONLY)).read()])",
    "note(lambda: sorted(os.listdir(os.open('/src/data', os.O_RDONLY))))",
    "try:\n    from helper import *\nexcept BaseException:\n    pass",
    "sys.path.insert(0, '/src/names'); note(lambda: __import__('x').V)",
    "note(lambda: sum(len(line) for line in __import__('fileinput').input('/src/data/one.txt')))",
]
MODULES = [
    "V = 1",
    "V = 2",
    "from lib.mod import V",
    "import names.x; V = names.x.V",
    "V = open('/src/data/one.txt').read()",
    "V = (",
    "raise ValueError('of a helper')",
    "from kiok import Dag\nV = 3\nx = Dag('x')\nx.task('t', script='helper')",
]
DAG_PATHS = ["dags/a.py", "dags/b.py", "dags/deep/c.py", "d.py"]
MODULE_PATHS = [
    *(
        "helper.py",
        "dags/helper.py",
        "helper/__init__.py",
        "dags/deep/helper.py",
        "lib/__init__.py",
        "lib/mod.py",
    ),
    *("lib.py", "dags/lib/mod.py", "names/x.py", "dags/names/x.py", "dags/names/y.py", "x.py", "os.py"),
]
DATA_PATHS = ["data/one.txt", "data/two.txt", "data/deep/three.txt", "data", "lib", "gone.txt"]

dags = st.lists(st.sampled_from(ASKING), max_size=4).map(
    lambda accesses: HEADER + "\n".join(accesses) + FOOTER
)
modules = st.sampled_from(MODULES)
data = st.sampled_from(["1", "2", "long"])
# A file that creates DAGs for others stops being a source.
ignored = st.sampled_from(["helper.py\n", "/dags/helper.py\n", "x.py\n"])
Files = dict[str, str]


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str | None]:
    """Draw a path and its new text, None to remove it."""
    kinds = [(DAG_PATHS, dags), (MODULE_PATHS, modules), (DATA_PATHS, data), ([IGNORE_FILE], ignored)]
    paths, texts = draw(st.sampled_from(kinds))
    return draw(st.sampled_from(paths)), draw(st.none() | texts)


@st.composite
def histories(draw: st.DrawFn) -> list[Files]:
    """Draw a repository and its changes, commit by commit."""
    files: Files = {path: draw(dags) for path in DAG_PATHS}
    for path in draw(st.lists(st.sampled_from(MODULE_PATHS), max_size=6, unique=True)):
        _edit(files, path, draw(modules))
    for path in draw(st.lists(st.sampled_from(DATA_PATHS), max_size=3, unique=True)):
        _edit(files, path, draw(data))
    commits = [dict(files)]
    for changes in draw(st.lists(st.lists(edits(), min_size=1, max_size=2), min_size=1, max_size=4)):
        for path, text in changes:
            _edit(files, path, text)
        commits.append(dict(files))
    return commits


def _edit(files: Files, path: str, text: str | None) -> None:
    """Apply an edit as git does: a file replaces a folder of its name, and a folder replaces a file."""
    files.pop(path, None)
    if text is not None:
        for other in list(files):
            if other.startswith(f"{path}/") or path.startswith(f"{other}/"):
                del files[other]
        files[path] = text


class Answers:
    """A sandbox that records its results."""

    def __init__(self, sandbox: DockerSandbox) -> None:
        self._sandbox = sandbox
        self.image_digest = sandbox.image_digest
        self.image_name = FakeSandbox().image_name
        self.limits = sandbox.limits
        self.given: dict[str, RawResult] = {}

    def run(self, job: SandboxJob) -> Iterator[RawResult]:
        for result in self._sandbox.run(job):
            self.given[result.path] = result
            yield result


def known_of(result: FileResult) -> CachedResult:
    dags = tuple((dag.id, dag.sha256) for dag in result.dags)
    return CachedResult(
        result.key,
        result.traced_accesses or (),
        result.image or "",
        result.status,
        result.diagnostics,
        dags=dags,
    )


def outcome(result: FileResult) -> object:
    return result.status, result.dags, result.diagnostics, result.keyed, result.doubts


@settings(
    max_examples=12,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(commits=histories(), subpath=st.sampled_from(["", "dags"]))
def test_reused_results_equal_newly_compiled_ones(
    sandbox: DockerSandbox, commits: list[Files], subpath: str
) -> None:
    stored: dict[str, FileResult] = {}
    for files in commits:
        tree = MemoryTree(files)
        known = {path: known_of(result) for path, result in stored.items()}
        answers = Answers(sandbox)
        full = compile_tree(tree, sandbox=answers, subpath=subpath)
        # With the same container's results: one container is enough to see what is not compiled again.
        again = FakeSandbox(answers.given, digests={PYTHON: sandbox.image_digest(PYTHON)})
        incremental = compile_tree(tree, sandbox=again, subpath=subpath, known=known)
        expected = {result.source.path: result for result in full.files}
        for result in incremental.files:
            path = result.source.path
            if not result.reused:
                stored[path] = result
            assert outcome(stored[path]) == outcome(expected[path]), (
                path,
                stored[path].traced_accesses,
                files,
            )
        stored = {path: stored[path] for path in expected}


DAG = "from kiok import Dag\nfrom {module} import V\nd = Dag('d')\nd.task('t', script=str(V))\n"
REPOSITORY: Files = {
    "dags/direct.py": DAG.format(module="helper"),
    "dags/through.py": DAG.format(module="middle"),
    "dags/package.py": DAG.format(module="lib.mod"),
    "dags/none.py": "from kiok import Dag\nd = Dag('d')\nd.task('t', script='s')\n",
    "dags/reads.py": "from kiok import Dag\nd = Dag('d')\nd.task('t', script=open('/src/data/x.txt').read())\n",
    "dags/probes.py": "import os\nfrom kiok import Dag\nd = Dag('d')\n"
    "d.task('t', script=str(os.path.exists('/src/data/flag')))\n",
    "dags/globs.py": "import glob\nfrom kiok import Dag\nd = Dag('d')\n"
    "d.task('t', script=str(sorted(glob.glob('/src/data/*.csv'))) + 'x')\n",
    "dags/runs.py": "import subprocess\nsubprocess.run(['true'])\n",
    "helper.py": "V = 1\n",
    "middle.py": "from helper import V\n",
    "lib/__init__.py": "",
    "lib/mod.py": "V = 1\n",
    "lib/other.py": "",
    "data/x.txt": "x",
    "data/y.csv": "y",
}
ALWAYS = {"dags/runs.py"}  # it starts a process, whose reads are not traced


@pytest.mark.parametrize(
    ("changes", "compiled"),
    [
        ({"helper.py": "V = 2\n"}, {"helper.py", "dags/direct.py", "dags/through.py", "middle.py"}),
        ({"lib/mod.py": "V = 2\n"}, {"lib/mod.py", "dags/package.py"}),
        ({"lib/__init__.py": "# new\n"}, {"lib/__init__.py", "dags/package.py"}),
        ({"lib/other.py": "# new\n"}, {"lib/other.py"}),
        ({"dags/direct.py": DAG.format(module="lib.mod")}, {"dags/direct.py"}),
        ({"dags/helper.py": "V = 3\n"}, {"dags/helper.py", "dags/direct.py", "dags/through.py"}),
        ({"data/x.txt": "y"}, {"dags/reads.py"}),
        ({"data/flag": ""}, {"dags/probes.py", "dags/globs.py"}),
        ({"data/y.csv": "changed, but still listed"}, set()),
        ({"README.md": "new"}, set()),
        ({"dags/new.py": DAG.format(module="helper")}, {"dags/new.py"}),
        ({"helper.py": None}, {"dags/direct.py", "dags/through.py", "middle.py"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_change_recompiles_exactly_what_depends_on_it(
    sandbox: DockerSandbox,
    first_compile: Mapping[str, CachedResult],
    changes: dict[str, str | None],
    compiled: set[str],
) -> None:
    files = {path: text for path, text in {**REPOSITORY, **changes}.items() if text is not None}
    compilation = compile_tree(MemoryTree(files), sandbox=sandbox, known=first_compile)
    assert {result.source.path for result in compilation.files if not result.reused} == compiled | ALWAYS


@pytest.fixture(scope="module")
def first_compile(sandbox: DockerSandbox) -> dict[str, CachedResult]:
    compilation = compile_tree(MemoryTree(REPOSITORY), sandbox=sandbox)
    assert not compilation.failed
    return {result.source.path: known_of(result) for result in compilation.files}


QUESTIONS = {
    "reads.py": ("open('/src/data/x.txt')", ("p:data/x.txt",)),
    "misses.py": ("import os; os.path.exists('/src/data/gone')", ("p:data/gone",)),
    "climbs.py": ("open('/src/lib/../data/x.txt')", ("p:data/x.txt", "p:lib")),
    "fails.py": ("try: open('/src/gone/x')\nexcept OSError: pass", ("p:gone/x",)),
    "lists.py": ("import os; os.listdir('/src/data')", ("n:data",)),
    "scans.py": ("import os; list(os.scandir('/src/data'))", ("s:data",)),
    "globs.py": ("import glob; glob.glob('/src/data/*.txt')", ("n:data",)),
    "relative.py": ("import os; os.chdir('/src/data'); open('x.txt')", ("p:data", "p:data/x.txt")),
    "bytes.py": ("open(b'/src/data/x.txt')", ("p:data/x.txt",)),
    "probes.py": ("try: import yaml\nexcept ImportError: pass", ("m:yaml",)),
    "imports.py": ("import lib", ("m:lib", "p:__pycache__/lib.cpython-311.pyc", "p:lib.py")),
    "outside.py": ("open('/etc/passwd').read(); open('/tmp/x', 'w').write('x')", ()),
    "itself.py": ("open(__file__).read()", ()),
    "memory.py": ("import sqlite3; sqlite3.connect(':memory:')", ("*",)),
    "below_os.py": ("import posix; posix.stat('/src/data/x.txt')", ("p:data/x.txt",)),
    "below_os_misses.py": ("import posix; posix.access('/src/data/gone', 0)", ("p:data/gone",)),
    "zip_misses.py": (
        "import zipimport\ntry: zipimport.zipimporter('/src/gone.zip')\nexcept ImportError: pass",
        ("p:gone.zip",),
    ),
    "zip_is_text.py": (
        "import zipimport\ntry: zipimport.zipimporter('/src/data/x.txt/inside')\nexcept ImportError: pass",
        ("p:data/x.txt", "p:data/x.txt/inside"),
    ),
    "own_finder.py": (
        "from importlib.machinery import FileFinder\nFileFinder('/src/data').find_spec('gone')",
        ("n:data",),
    ),
    "by_link.py": (
        "import os; f = os.open('/src/data', os.O_RDONLY); open(f'/proc/self/fd/{f}/x.txt')",
        ("*",),
    ),
    "by_device.py": (
        "import os; f = os.open('/src/data', os.O_RDONLY); os.path.exists(f'/dev/fd/{f}/x')",
        ("*",),
    ),
    "by_thread.py": ("open('/proc/thread-self/root/src/data/x.txt')", ("*",)),
    "by_detour.py": ("open('/tmp/../proc/self/cwd/../src/data/x.txt')", ("*",)),
    "statistics.py": ("open('/proc/self/status').read()", ()),
    "interpreter.py": (
        "import _xxsubinterpreters as i; i.run_string(i.create(), 'open(\"/src/data/x.txt\")')",
        ("*",),
    ),
    "certificate.py": (
        "import ssl\ntry: ssl.create_default_context(cafile='/src/data/x.txt')\nexcept ssl.SSLError: pass",
        ("*",),
    ),
    "certificates.py": (
        "import os, ssl\nos.environ['SSL_CERT_DIR'] = '/src/data'\nssl.create_default_context()",
        ("*",),
    ),
    "encrypted.py": ("import ssl; ssl.create_default_context()", ()),
    "translated.py": ("import locale; locale.bindtextdomain('x', '/src/data')", ("*",)),
    "key_file.py": ("import readline", ("*",)),
    "starts.py": ("import subprocess; subprocess.run(['true'])", ("*",)),
    "forks.py": ("import os\nif not os.fork(): os._exit(0)", ("*",)),
    "system.py": ("import os; os.system('true')", ("*",)),
    "native.py": ("import ctypes; ctypes.CDLL(None).getpid()", ("*",)),
    "sqlite.py": ("import sqlite3; sqlite3.connect('/tmp/x.db')", ("*",)),
    "by_descriptor.py": (
        "import os; f = os.open('/src/data', os.O_RDONLY); os.stat('x.txt', dir_fd=f)",
        ("*",),
    ),
    "opens_at.py": ("import os; f = os.open('/src', os.O_RDONLY); os.open('lib.py', 0, dir_fd=f)", ("*",)),
    "alias.py": ("import os; os.symlink('/src/data', '/tmp/alias'); open('/tmp/alias/x.txt')", ("*",)),
    "proc.py": ("open('/proc/self/root/src/data/x.txt')", ("*",)),
    "writes.py": ("try: open('/src/new', 'w')\nexcept OSError: pass", ("*",)),
    "space.py": ("import os; os.statvfs('/src')", ("*",)),
    "odd.py": ("import os; os.path.exists('/src/a\\nb')", ("*",)),
    "many.py": ("import os\nfor i in range(2_001): os.path.exists(f'/src/{i}')", ("*",)),
    "raises.py": ("import os\nopen('/src/data/x.txt'); raise ValueError", ("p:data/x.txt",)),
}


def test_all_accesses_of_a_file_are_traced(sandbox: DockerSandbox) -> None:
    files = {path: f"# kiok\n{text}\n" for path, (text, _) in QUESTIONS.items()}
    tree = MemoryTree({**files, "lib.py": "", "data/x.txt": "x"})
    results = {result.source.path: result for result in compile_tree(tree, sandbox=sandbox).files}
    accesses = {path: results[path].traced_accesses for path in QUESTIONS}
    assert accesses == {path: traced_accesses for path, (_, traced_accesses) in QUESTIONS.items()}
    assert results["raises.py"].status is FileStatus.FAILED
