"""DAGs written in YAML: one strict reader, hostile text included."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kiok import yaml_reader
from kiok.compiled import CompiledFile
from kiok.spec import DagSpec
from kiok.yaml_dag import YamlLimits, compile_yaml

HEAD = "dag: {id: d}\ntasks:\n"


@pytest.fixture(params=["libyaml", "pure"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs with both parsers: an author without libyaml gets the same answers."""
    name: str = request.param
    loader = yaml.CSafeLoader if name == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(yaml_reader, "_LOADER", loader)
    return name


def compiled(text: str | bytes, limits: YamlLimits | None = None) -> CompiledFile:
    raw = text.encode() if isinstance(text, str) else text
    return compile_yaml(raw, "d.yaml", limits or YamlLimits())


def spec_of(text: str) -> DagSpec:
    result = compiled(text)
    assert result.diagnostics == ()
    assert len(result.dags) == 1
    return result.dags[0]


def problems_of(text: str | bytes) -> list[tuple[int | None, int | None, str | None, str | None, str]]:
    result = compiled(text)
    assert result.dags == ()
    assert all(found.path == "d.yaml" for found in result.diagnostics)
    return [(found.line, found.column, found.task, found.key, found.message) for found in result.diagnostics]


def config_of(text: str) -> dict[str, str]:
    return dict(spec_of(HEAD + f"- {{id: a, script: s, config: {text}}}\n").tasks[0].config)


def test_the_documented_example_compiles() -> None:
    spec = spec_of(
        """
dag:
  id: hourly_report
  schedule: "5 * * * *"
  default_timeout: 30m        # or defaultTimeoutMs: 1800000
tasks:
  - id: pull
    script: |
      #!/bin/bash
      echo pull
  - id: publish
    type: http
    requires: [pull]          # a single string is accepted too
    timeout: 90s              # or timeoutMs: 90000
    config: {url: "https://hooks.example/publish", method: POST}
"""
    )
    assert spec.to_json() == {
        "id": "hourly_report",
        "name": "hourly_report",
        "description": None,
        "schedule": "5 * * * *",
        "catchup": False,
        "defaultTimeoutMs": 1_800_000,
        "tasks": [
            {
                "id": "pull",
                "type": "shell",
                "script": "#!/bin/bash\necho pull\n",
                "requires": [],
                "timeoutMs": None,
                "config": {},
            },
            {
                "id": "publish",
                "type": "http",
                "script": None,
                "requires": ["pull"],
                "timeoutMs": 90_000,
                "config": {"url": "https://hooks.example/publish", "method": "POST"},
            },
        ],
    }


@pytest.mark.parametrize(
    "key", ["default_timeout: 5s", "defaultTimeout: 5s", "defaultTimeoutMs: 5000", "default_timeout_ms: 5000"]
)
def test_both_spellings_of_a_key_say_the_same(key: str) -> None:
    assert spec_of(f"dag: {{id: d, {key}}}\ntasks: [{{id: a, script: s}}]").default_timeout_ms == 5_000


@pytest.mark.parametrize("key", ["timeout: 5s", "timeoutMs: 5000", "timeout_ms: 5000"])
def test_a_task_timeout_is_spelled_either_way_and_requires_may_be_one_string(key: str) -> None:
    spec = spec_of(HEAD + f"- {{id: a, script: s, {key}}}\n- {{id: b, script: s, requires: a}}")
    assert spec.tasks[0].timeout_ms == 5_000
    assert spec.tasks[1].requires == ("a",)


def test_scalars_follow_the_core_schema_of_yaml_1_2() -> None:
    text = "[on, yes, No, 2020-01-01, 1:30, 0o17, 0x1F, 017, +5, 1e3, .5, 1_000, True, ~, '5', !!str 6, !!float 7]"
    assert config_of(f"{{k: {text}}}") == {
        "k": '["on","yes","No","2020-01-01","1:30",15,31,17,5,1000.0,0.5,"1_000",true,null,"5","6",7.0]'
    }
    assert config_of("{a: true, b: 10, c: 1.5, d: , e: x, f: {b: 1, a: ä}}") == {
        "a": "true",
        "b": "10",
        "c": "1.5",
        "d": "null",
        "e": "x",
        "f": '{"a":"ä","b":1}',
    }


def test_anchors_and_aliases_stand_for_their_values() -> None:
    text = "x-shared: &c {url: u, headers: {a: b}}\ndag: {id: d}\ntasks:\n- {id: a, type: http, config: *c}\n"
    assert dict(spec_of(text).tasks[0].config) == {"url": "u", "headers": '{"a":"b"}'}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("dag: {id: d, schdule: x}", (1, 14), "unknown key 'schdule'; did you mean 'schedule'?"),
        ("dag: {id: d, cron: x}", (1, 14), "did you mean 'schedule'?"),
        ("dag: {id: d, zzzzzz: x}", (1, 14), "allowed: id, name, description, schedule"),
        ("dag: {id: d, default_timeout: 30}", (1, 31), "the number 30 has no unit"),
        ("dag: {id: d, default_timeout: 5s, defaultTimeoutMs: 5}", (1, 35), "mean the same; keep one"),
        ("dag: {id: d, catchup: yes}", (1, 23), "must be true or false, found 'yes'"),
        ("dag: {id: 5}", (1, 11), "must be a string, found the number 5 (write it in quotes)"),
        ("dag: {}", (1, 1), "an id is required"),
        ("dag:", (1, 1), "a DAG must be a mapping, found null"),
        ("dag: x", (1, 1), "a DAG must be a mapping, found 'x'"),
        ("dag: {id: d, schedule: '61 * * * *'}", (1, 24), "minute field"),
        ("dag: {id: d, id: e}", (1, 14), "the key 'id' is duplicated in this mapping, first in line 1"),
        ("dag: {id: d, description: !x y}", (1, 27), "the tag '!x' is not allowed on a scalar"),
        ("dag: {id: d, description: !!binary aGk=}", (1, 27), "the tag '!!binary'"),
        ("dag: !!python/object:os.system {id: d}", (1, 6), "the tag '!!python/object:os.system'"),
        ("dag: {id: d, description: !!int x}", (1, 27), "'x' does not match its tag '!!int'"),
        ("dag: {id: d, description: .inf}", (1, 27), ".inf is not a number that JSON can represent"),
        ("dag: {id: d, description: 1e999}", (1, 27), "beyond the range of a float"),
        ("dag: {id: d, description: " + "9" * 5000 + "}", (1, 27), "is beyond 64 bits"),
        ('dag: {id: d, description: "a\\0b"}', (1, 27), "holds a NUL character"),
        ("dag: {id: d, [a]: b}", (1, 14), "a key must be text, found a list of 1"),
        ("dag: {id: d}\nschedule: x", (2, 1), "'schedule' has no effect here; it belongs under 'dag:'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_problem_of_the_dag_has_its_line_and_column(text: str, place: tuple[int, int], said: str) -> None:
    ((line, column, task, _key, message),) = problems_of(text + "\ntasks: [{id: a, script: s}]\n")
    assert (line, column) == place
    assert task is None
    assert said in message


@pytest.mark.parametrize(
    ("task", "place", "said"),
    [
        ("require: [x]", (6, 3), "unknown key 'require'; did you mean 'requires'?"),
        ("depends_on: [x]", (6, 3), "did you mean 'requires'?"),
        ("dependsOn: [x]", (6, 3), "did you mean 'requires'?"),
        ("upstream: [x]", (6, 3), "did you mean 'requires'?"),
        ("command: ls", (6, 3), "did you mean 'script'?"),
        ("bash: ls", (6, 3), "did you mean 'script'?"),
        ("timeout: 90", (6, 12), "the number 90 has no unit"),
        ("timeout: 5s\n  timeoutMs: 5000", (7, 3), "'timeout' and 'timeoutMs' mean the same"),
        ("timeoutMs: 5s", (6, 14), "must be a whole number of milliseconds"),
        ("requires: [x, y]", (6, 17), "no task of this DAG has the id 'y'"),
        ("requires: y", (6, 13), "no task of this DAG has the id 'y'"),
        ("requires: [x, x]", (6, 17), "is listed twice"),
        ("requires: {x: 1}", (6, 3), "must be a list of task ids"),
        ("type: bash", (6, 9), "is not a task type"),
        ("type: http", (4, 3), "needs the config key 'url'"),
        ("type: http\n  config: {uri: x}", (7, 3), "is it misspelled as 'uri'?"),
        ("config: [x]", (6, 3), "must be a mapping"),
        ('config: {k: "\\0"}', (6, 15), "holds a NUL character"),
        ("config: {k: {a: b, a: c}}", (6, 22), "the key 'a' is duplicated"),
        ("config: {<<: {a: b}}", (6, 12), "merge keys ('<<') are not part of YAML 1.2"),
        ("script: t", (6, 3), "the key 'script' is duplicated in this mapping, first in line 5"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_problem_of_a_task_has_its_line_column_and_task(
    task: str, place: tuple[int, int], said: str
) -> None:
    text = f"dag: {{id: d}}\ntasks:\n- {{id: x, script: s}}\n- id: t\n  script: s\n  {task}\n- {{id: z, script: s}}\n"
    ((line, column, named, _key, message),) = problems_of(text)
    assert (line, column) == place
    assert named == "t"
    assert said in message


def test_all_problems_of_a_dag_are_reported_at_once() -> None:
    text = (
        "dag: {id: 'a b', x: 1, default_timeout: 5}\ntasks:\n- {id: a, script: 5}\n- {id: b, scrip: s}\n- 7\n"
    )
    assert [(line, key) for line, _column, _task, key, _message in problems_of(text)] == [
        (1, "x"),
        (1, "defaultTimeoutMs"),
        (4, "scrip"),
        (1, "id"),
        (3, "script"),
        (4, "script"),
        (5, "tasks"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("dag: {id: d}\ntask:\n- {id: a, script: s}\n", 2, "unknown key 'task'; did you mean 'tasks'?"),
        ("dag:\n  id: d\n  tasks:\n  - {id: a, script: s}\n", 3, "belongs at the top level"),
        ("dag: {id: d}\n", 1, "needs a list of tasks"),
        ("dag: {id: d}\ntasks: {a: 1}\n", 2, "must be a list of tasks"),
    ],
)
def test_misplaced_or_missing_tasks_are_one_problem(text: str, line: int, said: str) -> None:
    ((found, _column, _task, key, message),) = problems_of(text)
    assert (found, key) == (line, "tasks")
    assert said in message


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
def test_a_valid_file_without_a_sign_of_a_dag_is_none_and_says_what_it_holds(text: str, reason: str) -> None:
    result = compiled(text)
    assert (result.dags, result.diagnostics, result.doubts, result.import_failed) == ((), (), (), False)
    assert result.not_a_dag is not None
    assert reason in result.not_a_dag.message


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_a_lesser_sign_of_a_dag_is_a_doubt_and_no_error(text: str, said: str) -> None:
    result = compiled(text)
    assert (result.dags, result.diagnostics, result.import_failed) == ((), (), False)
    assert result.not_a_dag is not None
    (doubt,) = result.doubts
    assert said in doubt.message
    assert "delete the file or list it in .kiokignore" in doubt.message


ONE_TASK = "tasks: [{id: a, script: s}]\n"


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
    ("encoding", "said"),
    [
        ("utf-16", "the file is in UTF-16; save it in UTF-8"),
        ("utf-32", "the file is in UTF-32; save it in UTF-8"),
        ("utf-16-le", "the file seems to be in UTF-16 without a byte order mark; save it in UTF-8"),
        ("utf-16-be", "the file seems to be in UTF-16 without a byte order mark; save it in UTF-8"),
    ],
)
def test_another_encoding_is_named_with_what_to_do(encoding: str, said: str) -> None:
    text = (HEAD + "- {id: a, script: s}\n").encode(encoding)
    result = compiled(text)
    assert [item.message for item in result.diagnostics] == [said]
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
    ("text", "place", "said"),
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
    text: str, place: tuple[int, int] | None, said: str
) -> None:
    ((line, column, _task, _key, message),) = problems_of(text)
    assert line is not None
    assert place is None or (line, column) == place
    assert said in message


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = (HEAD + "- {id: a, script: s}\n").replace("\n", "\r\n").encode("utf-8-sig")
    assert [dag.id for dag in compiled(text).dags] == ["d"]


def test_of_several_documents_the_good_ones_compile_and_the_bad_ones_are_reported() -> None:
    good, bad, other = (HEAD + "- {id: a, script: s}\n", "dag: {id: e}\n", "kind: Service\nx: !y z\n")
    result = compiled("---\n".join((other, good, bad, other)))
    assert [dag.id for dag in result.dags] == ["d"]
    assert [(found.line, found.dag) for found in result.diagnostics] == [(8, "e")]
    assert result.keyed
    assert not compiled("---\n".join((other, good, other))).keyed
    assert not compiled(bad).keyed
    assert compiled(bad + "---\n" + bad).keyed


def test_documents_with_one_id_are_reported_with_all_their_lines_and_none_is_taken() -> None:
    one, other = HEAD + "- {id: a, script: s}\n", "dag: {id: e}\ntasks: [{id: a, script: s}]\n"
    result = compiled("---\n".join((one, other, one)))
    assert [dag.id for dag in result.dags] == ["e"]
    assert [found.line for found in result.diagnostics] == [1, 8]
    assert "(lines 1, 8)" in result.diagnostics[0].message


def test_a_file_that_breaks_off_gives_no_dag_at_all() -> None:
    result = compiled(HEAD + "- {id: a, script: s}\n---\ndag: {id: e\n")
    assert result.dags == ()
    assert len(result.diagnostics) == 1


BOMB = "a: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "limits", "said"),
    [
        (HEAD + "#" * 1024 * 1024, {}, "1048596 bytes; at most 1048576 are allowed"),
        (HEAD + "- " + "[" * 60 + "]" * 60, {}, "more than 50 levels of nesting"),
        (HEAD + "- " + "[" * 100_000, {}, "more than 50 levels of nesting"),
        (HEAD + "- " + "{a: " * 50_000, {}, "more than 50 levels of nesting"),
        (HEAD + "- x\n" * 2_001, {"max_nodes": 2_000}, "more than 2000 values"),
        (BOMB + HEAD, {}, "more than 200000 values (aliases expanded)"),
        ("a: &a " + "x" * 900_000 + "\nb: [*a, *a, *a, *a]\n" + HEAD, {}, "more than 4194304 characters"),
        ("a: &a [[[]]]\nb: [[*a]]\n" + HEAD, {"max_depth": 5}, "more than 5 levels of nesting"),
        ("a: &a x\nb: [*a, *a, *a]\n" + HEAD, {"max_aliases": 2}, "more than 2 aliases"),
        ("--- x\n" * 3 + "---\n" + HEAD, {"max_documents": 3}, "more than 3 documents"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_a_limit_is_an_error_that_names_it_before_anything_is_built(
    text: str, limits: dict[str, Any], said: str, parser: str
) -> None:
    result = compiled(text, YamlLimits(**limits))
    assert result.dags == ()
    (found,) = result.diagnostics
    assert said in found.message
    without = text.replace("\ndag:", "\nxxx:").replace("dag: {id: d}", "xxx: 1")
    unreadable = compiled(without, YamlLimits(**limits))
    assert unreadable.import_failed
    assert said.partition(";")[0].partition(" ")[2] in unreadable.diagnostics[0].message


yaml_like = st.text("dag:tasks-id {}[]&*!|>\"'#%?,~<\n\t 05.x", max_size=60)


@given(st.binary() | st.text().map(str.encode) | yaml_like.map(lambda text: (HEAD + text).encode()))
def test_no_bytes_make_the_compiler_raise(raw: bytes) -> None:
    result = compile_yaml(raw, "d.yaml")
    assert CompiledFile.from_json(result.to_json()).dags == result.dags
