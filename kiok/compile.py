"""`python3 -m kiok.compile FILE...`: compile DAG files as the server would, for authors and their CI.

Prints one JSON array of DagSpecs to stdout, in the order of the files; a file without a DAG adds none. With `--check` it
prints the number of files and DAGs if there are no problems. stderr gets the problems, and why a file has no DAG.
Exit status: 0 if every file compiled (or has no DAG, without `--strict`), 1 if any has a problem, 2 for a wrong
command line or an output that cannot be written, 130 after Ctrl-C.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `-m` puts the current folder first; a `json.py` there would replace the standard library's module.
    sys.path.append(sys.path.pop(0))

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiok import console
from kiok.compiled import CompiledFile, imported_message
from kiok.errors import Diagnostic, KiokError
from kiok.python_dag import compile_python_file
from kiok.text import terminal_json, terminal_line, terminal_text

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["YamlUnavailable", "compile_python_file", "compile_yaml_file", "main"]

TIMEOUT_SECONDS = 30.0  # as kiok.sandbox.file.timeout.ms
MAX_TIMEOUT_SECONDS = 86_400
YAML_ENDINGS = (".yaml", ".yml")
ENDINGS = (".py", *YAML_ENDINGS)


class YamlUnavailable(KiokError):
    """A YAML file is to be compiled, but PyYAML is not installed."""


def compile_yaml_file(path: str) -> CompiledFile:
    """Compile the YAML file at `path`. Raises YamlUnavailable without PyYAML."""
    try:
        from kiok.yaml_dag import compile_yaml
    except ImportError as exc:
        if exc.name != "yaml":
            raise
        raise YamlUnavailable("YAML files need PyYAML: pip install 'kiok[yaml]'") from exc
    try:
        text = Path(path).read_bytes()
    except OSError as exc:
        return CompiledFile(diagnostics=(Diagnostic(f"the file cannot be read: {exc.strerror}", path),))
    return compile_yaml(text, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; exit with 2 for a wrong command line."""
    is_closed = console.replace_closed_streams()
    options = _options(arguments)
    if is_closed and not options.check:
        console.say("kiok.compile: standard output is closed, so the specs cannot be printed; add --check")
        return 2
    try:
        compiled = _compile_all(options.files, options.roots, options.timeout)
    except KeyboardInterrupt:
        return 130
    problems = [diagnostic for _file, result in compiled for diagnostic in result.diagnostics]
    without_dag = [
        _no_dag(file, result)
        for file, result in compiled
        if not (result.dags or result.diagnostics or result.imported)
    ]
    if options.strict:
        problems += without_dag
    from kiok.report import as_github, as_text

    written: Callable[[Diagnostic], str] = as_github if options.format == "github" else as_text
    for diagnostic in problems:
        console.say(written(diagnostic))
    for diagnostic in () if options.strict else without_dag:
        console.say(as_text(diagnostic))
    for file, result in compiled:
        if result.imported:
            console.say(terminal_line(f"{file}: {_imports(result)}"))
    try:
        if not options.check:
            _print_specs(compiled)
        elif not problems:
            console.put(_counts(compiled).encode())
    except console.OutputError as exc:
        if str(exc):
            console.say(f"kiok.compile: {exc}")
        return 2
    return 1 if problems else 0


def _no_dag(file: str, result: CompiledFile) -> Diagnostic:
    """Return why the file has no DAG."""
    reason = result.not_a_dag or (result.doubts[0] if result.doubts else Diagnostic("it defines no DAG"))
    return replace(reason, path=file, message=f"not a DAG: {reason.message}")


def _counts(compiled: Sequence[tuple[str, CompiledFile]]) -> str:
    """Return the counts as text: `3 files, 5 DAGs`."""
    files, dags = len(compiled), sum(len(result.dags) for _file, result in compiled)
    return f"{files} {'file' if files == 1 else 'files'}, {dags} {'DAG' if dags == 1 else 'DAGs'}\n"


def _options(arguments: Sequence[str] | None) -> Namespace:
    from argparse import ArgumentParser

    class CommandParser(ArgumentParser):
        """Argument parser that escapes control characters in its messages, which quote arguments."""

        def _print_message(self, message: str, file: Any = None) -> None:
            super()._print_message(terminal_text(message), file)

    parser = CommandParser(
        prog="kiok.compile",
        description="Compile DAG files. Prints their specs as JSON, and problems on stderr.",
        epilog="Exit status: 0 all compiled, 1 a file has a problem, 2 wrong usage or no output, 130 Ctrl-C.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a .py, .yaml or .yml file")
    parser.add_argument(
        "--check",
        action="store_true",
        help="do not print specs; on success, print the number of files and DAGs",
    )
    parser.add_argument("--strict", action="store_true", help="report a file without a DAG as a problem")
    parser.add_argument(
        "--format",
        choices=("text", "github"),
        default="text",
        help="output format of problems (default: text)",
    )
    parser.add_argument(
        "--root",
        action="append",
        dest="roots",
        metavar="DIR",
        help="folder to import from, after the file's own folder; may be repeated (first the synced "
        "subpath, then the repository's root). Default: the nearest folder with a .git, "
        "else the current one",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help=f"time limit for each Python file (default: {TIMEOUT_SECONDS:g}, as kiok.sandbox.file.timeout.ms)",
    )
    options = parser.parse_args(arguments)
    for file in options.files:
        if not file.lower().endswith(ENDINGS):
            hint = "; jars are compiled only on the server" if file.lower().endswith(".jar") else ""
            parser.error(f"{file}: not one of {', '.join(ENDINGS)}{hint}")
        if not Path(file).is_file():
            parser.error(f"{file}: no such file")
    for root in options.roots or ():
        if not Path(root).is_dir():
            parser.error(f"--root {root}: no such folder")
    return options


def _seconds(text: str) -> float:
    from argparse import ArgumentTypeError

    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise ArgumentTypeError(f"{text!r} is not a number greater than 0 and at most {MAX_TIMEOUT_SECONDS}")
    return seconds


def _compile_all(
    files: Sequence[str], roots: Sequence[str] | None, timeout_seconds: float
) -> list[tuple[str, CompiledFile]]:
    """Return every file's result, in order; Python files run in parallel, each in a separate process."""
    from concurrent.futures import ThreadPoolExecutor

    from kiok.isolated import compile_in_own_process, stop_all

    def compile_one(file: str) -> CompiledFile:
        if file.lower().endswith(YAML_ENDINGS):
            try:
                return compile_yaml_file(file)
            except YamlUnavailable as exc:
                return CompiledFile(diagnostics=(Diagnostic(str(exc), file),))
        if opaque := _opaque(file):
            return CompiledFile(diagnostics=(Diagnostic(opaque, file),))
        return compile_in_own_process(file, roots or [repository_root(file)], timeout_seconds)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            return list(zip(files, pool.map(compile_one, files), strict=True))
        except BaseException:
            # Ctrl-C does not reach the processes, which run in separate sessions.
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise


def _imports(result: CompiledFile) -> str:
    counts = {
        group.path: len(group.dags) + bool(group.diagnostics and not group.dags) for group in result.imported
    }
    return imported_message(counts)


def _opaque(file: str) -> str | None:
    """Return why a file is not Python source: it is a Git LFS pointer, or encrypted; None if neither."""
    from kiok.opaque import opaque_reason

    try:
        return opaque_reason(Path(file).read_bytes())
    except OSError:
        return None  # compiling it reports why it cannot be read


def repository_root(file: str) -> str:
    """Return the nearest folder above `file` that contains a `.git`, else the current one."""
    for folder in Path(file).absolute().parents:
        if (folder / ".git").exists():
            return str(folder)
    return str(Path.cwd())


def _print_specs(compiled: Sequence[tuple[str, CompiledFile]]) -> None:
    import json

    specs = [dag.to_json() for _, result in compiled for dag in result.dags]
    text = terminal_json(json.dumps(specs, indent=2, ensure_ascii=False)) + "\n"
    # In UTF-8 on every platform and locale: programs read the JSON.
    console.put(text.encode())


if __name__ == "__main__":
    sys.exit(main())
