"""Detection of YAML files: a DAG, no DAG, in doubt, or unreadable."""

from __future__ import annotations

import pytest

from tests.support.yaml_files import HEAD, ONE_TASK, compiled, problems_of

pytestmark = pytest.mark.usefixtures("yaml_parser")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "name: ci\non: push\njobs: {build: {steps: []}}\n",
            "at the top level (found: 'name', 'on', 'jobs')",
        ),
        ("a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\n", "'e' and 2 more)"),
        ("{}\n", "it is an empty mapping"),
        ("services: {}\n---\nkind: Service\n---\n[]\n", "(found: 'services') (and 2 more documents)"),
        ("- hosts: all\n  tasks:\n  - name: x\n    command: y\n", "it is a list; a DAG is a mapping"),
        ("tag: v1\n", "(found: 'tag')"),
        ("spec: {templates: [{dag: {tasks: []}}]}\n", "(found: 'spec')"),
        ("image: {tag: x, dag-image: y}\n", "(found: 'image')"),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_a_valid_file_without_a_sign_of_a_dag_says_what_it_contains(text: str, reason: str) -> None:
    result = compiled(text)
    assert (result.dags, result.diagnostics, result.doubts, result.import_failed) == ((), (), (), False)
    assert result.not_a_dag is not None
    assert reason in result.not_a_dag.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty, or holds only comments. To remove the DAG"),
        (" \n\n", "the file is empty"),
        ("# dag: {id: d}\n", "the file is empty"),
        ("---\n...\n", "the file is empty"),
        ("d", "it is a plain value ('d')"),
        ("dag\n", "it is a plain value ('dag')"),
        ("'dag: {id: d}\ntasks: []'\n", "it is a plain value"),
        ("dags: 1\n", "unknown key 'dags'; did you mean `dag:`?"),
        ("Dag:\n", "unknown key 'Dag'; did you mean `dag:`?"),
        ("tag: {x: 1}\n", "unknown key 'tag'; did you mean `dag:`?"),
        (
            "version: '3'\ntasks: {build: {cmds: []}}\n",
            "the key 'tasks' is present, but there is no key 'dag'",
        ),
        ("id: flow\ntasks:\n- {id: a, type: io.kestra.plugin.core.log.Log}\n", "did you mean `dag:`?"),
        ("x: {dag: {tasks: []}}\n", "the key 'dag' is one level too deep"),
        ("- dag: 1\n", "the key 'dag' is one level too deep"),
        ("x: {tasks: [{id: a, script: s}]}\n", "`tasks:` is one level too deep"),
        ("id: d\nschedule: x\n", "it has keys of a DAG or a task, but no key 'dag'"),
        ("script: |\n  echo\n", "it has keys of a DAG or a task"),
        ("- id: a\n  script: s\n", "it is a list of tasks without a DAG"),
        ("x: 1\ntakss: []\n", "unknown key 'takss'; did you mean `tasks:`?"),
        ("kind: Service\nx: !y z\n", "it is not valid: the tag '!y' is not allowed on a scalar"),
        ("<<: {dag: {id: d}}\nx: 1\n", "it is not valid: merge keys"),
        ("? x\n: id\n? [a]\n: b\n", "it is not valid: a key must be text"),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_a_lesser_sign_of_a_dag_is_a_doubt_and_no_error(text: str, message: str) -> None:
    result = compiled(text)
    assert (result.dags, result.diagnostics, result.import_failed) == ((), (), False)
    assert result.not_a_dag is not None
    (doubt,) = result.doubts
    assert message in doubt.message
    assert "delete the file or list it in .kiokignore" in doubt.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("dags: {id: d}\n" + ONE_TASK, (1, 1)),
        ("dags: {id: d}\n", (1, 1)),
        ("Dag: {id: d}\n" + ONE_TASK, (1, 1)),
        ("DAG: {id: d}\ntasks: {a: b}\n", (1, 1)),
        ("'dag ': {id: d}\n" + ONE_TASK, (1, 1)),
        ("dga: {id: d}\n" + ONE_TASK, (1, 1)),
        ("da: {id: d}\n" + ONE_TASK, (1, 1)),
        ("\u200bdag: {id: d}\n" + ONE_TASK, (1, 1)),
        ("d\u0430g: {id: d}\n" + ONE_TASK, (1, 1)),
        ("x: 1\n" + ONE_TASK, (2, 1)),
        ("tag: v1\n" + ONE_TASK, (2, 1)),
        ("Tasks:\n- {id: a, type: http, config: {url: u}}\n", (1, 1)),
        ("tasks:\n- {id: a, script: s}\n- {id: b, requires: a, scrip: t}\n", (1, 1)),
        ("- dag: {id: d}\n  tasks: []\n", (1, 3)),
        ("spec:\n  dag: {id: d}\n  tasks: []\n", (2, 3)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_document_that_can_hardly_be_anything_but_a_dag_is_an_error(
    text: str, place: tuple[int, int]
) -> None:
    ((line, column, _task, _key, message),) = problems_of(text)
    assert (line, column) == place
    assert "did you mean `dag:`" in message


def test_a_schedule_and_tasks_without_a_dag_say_what_to_write() -> None:
    hint = "write `dag:` with an `id` next to `tasks:`, and move 'schedule', 'catchup' under it"
    head = "schedule: 0 3 * * *\ncatchup: true\n"
    result = compiled(f"{head}tasks:\n- {{name: build, run: make}}\n")
    assert (result.dags, result.diagnostics) == ((), ())
    assert result.not_a_dag is not None
    assert result.not_a_dag.message == (
        f"it has no key 'dag' at the top level (found: 'schedule', 'catchup', 'tasks'); it looks like a DAG: {hint}"
    )
    assert [hint in doubt.message for doubt in result.doubts] == [True]
    ((line, _column, _task, _key, message),) = problems_of(f"{head}tasks:\n- {{id: a, script: s}}\n")
    assert line == 3
    assert hint in message


def test_documents_of_a_file_are_judged_one_by_one() -> None:
    good, nearly = HEAD + "- {id: a, script: s}\n", "dags: {id: e}\n" + ONE_TASK
    result = compiled(good + "---\n" + nearly)
    assert ([dag.id for dag in result.dags], result.keyed) == (["d"], True)
    assert [(found.line, found.message) for found in result.diagnostics] == [
        (5, "unknown key 'dags'; did you mean `dag:`?")
    ]
    result = compiled(good + "---\ntag: {x: 1}\n---\nservices: {}\n---\n")
    assert ([dag.id for dag in result.dags], result.keyed, result.diagnostics) == (["d"], False, ())
    assert [doubt.line for doubt in result.doubts] == [5]
    assert result.not_a_dag is None


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {<<: *x, image: y}}\n",
        "{{- if .Values.dag }}\n  dag: {{ .Values.dag }}\n{{- end }}\n",
        "a: [1, 2\n",
        "\tx: y\n",
        "a: \x00\n",
        "[" * 100_000,
        "a: &a [*a]\n",
        "tasks: [\n",
    ],
    ids=lambda text: repr(text)[:30],
)
def test_a_file_that_cannot_be_read_and_shows_no_dag_says_so_and_why(text: str) -> None:
    result = compiled(text)
    assert result.import_failed
    assert (result.dags, len(result.diagnostics)) == ((), 1)


def test_bytes_that_are_no_text_are_an_error_where_they_mention_a_dag() -> None:
    assert compiled(b"\xff\x00\xfe" * 10).import_failed
    assert problems_of(b"dag: {id: d}\ntasks:\n- \xe4: x\n") == [
        (
            3,
            3,
            None,
            None,
            "the file is not UTF-8: byte 23 (0xe4): invalid continuation byte; save it in UTF-8",
        )
    ]


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", "the file is in UTF-16; save it in UTF-8"),
        ("utf-32", "the file is in UTF-32; save it in UTF-8"),
        ("utf-16-le", "the file seems to be in UTF-16 without a byte order mark; save it in UTF-8"),
        ("utf-16-be", "the file seems to be in UTF-16 without a byte order mark; save it in UTF-8"),
    ],
)
def test_another_encoding_is_named_with_what_to_do(encoding: str, message: str) -> None:
    text = (HEAD + "- {id: a, script: s}\n").encode(encoding)
    result = compiled(text)
    assert [item.message for item in result.diagnostics] == [message]
    assert not result.import_failed
    assert compiled("services: {}\n".encode(encoding)).import_failed


@pytest.mark.parametrize(
    "text",
    [
        " dag:\n  id: d\ntasks:\n- {id: a, script: s}\n",
        "dag\n  id: d\ntasks:\n- {id: a, script: s}\n",
        "\tdag:\n  id: d\ntasks:\n- {id: a, script: s}\n",
        "dags:\n  id: d\n name: x\ntasks:\n- {id: a, script: s}\n",
        '"dag:\n  id: d\ntasks:\n- {id: a, script: s}\n',
        "- dag:\n    id: d\ntasks:\n- {id: a, script: s}\n",
    ],
)
def test_an_unreadable_file_with_lines_of_a_dag_and_tasks_is_an_error(text: str) -> None:
    result = compiled(text)
    assert not result.import_failed
    ((line, _column, _task, _key, _message),) = problems_of(text)
    assert line is not None


def test_the_search_for_lines_of_a_dag_ends_on_hostile_text() -> None:
    """Work that grows with the square of the text would not end within the time limit of a test."""
    for text in ("dag\n" * 250_000, "\t" * 500_000 + "dag", "x: [\n" + "dag: " * 100_000, "dag " * 200_000):
        assert compiled("\x00" + text).diagnostics


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        (HEAD + "- {id: a, script: s\n", None, "not valid YAML"),
        (HEAD + "- id: a\n\tscript: s\n", (4, 1), "not valid YAML"),
        (HEAD + "- {id: a, script: \x07}\n", (3, 19), "the character U+0007 is not allowed in YAML"),
        (HEAD + "- *nowhere\n", (3, 3), "the alias '*nowhere' refers to no anchor before it"),
        (HEAD + "- &a [*a]\n", (3, 7), "the alias '*a' is inside the value that it refers to"),
        ('{"dag": {"id": "d"}, "tasks": [}', None, "not valid YAML"),
        ("--- dag: x\n", None, "not valid YAML"),
    ],
)
def test_a_file_with_a_dag_line_that_cannot_be_read_is_an_error(
    text: str, place: tuple[int, int] | None, expected: str
) -> None:
    ((line, column, _task, _key, message),) = problems_of(text)
    assert line is not None
    assert place is None or (line, column) == place
    assert expected in message
