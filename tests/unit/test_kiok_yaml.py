"""DAGs written in YAML: keys, values, problems with their place, documents."""

from __future__ import annotations

import pytest

from tests.support.yaml_files import HEAD, compiled, problems_of, spec_of

pytestmark = pytest.mark.usefixtures("yaml_parser")


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
def test_a_task_timeout_has_two_spellings_and_requires_may_be_a_string(key: str) -> None:
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
    ("text", "place", "expected"),
    [
        ("dag: {id: d, schdule: x}", (1, 14), "unknown key 'schdule'; did you mean 'schedule'?"),
        ("dag: {id: d, cron: x}", (1, 14), "did you mean 'schedule'?"),
        ("dag: {id: d, zzzzzz: x}", (1, 14), "allowed: id, name, description, schedule"),
        ("dag: {id: d, default_timeout: 30}", (1, 31), "the number 30 has no unit"),
        ("dag: {id: d, default_timeout: 5s, defaultTimeoutMs: 5}", (1, 35), "mean the same; keep one"),
        ("dag: {id: d, owner: ' x'}", (1, 21), "' x' is not an owner; allowed: 1 to 200 printable"),
        ("dag: {id: d, owners: x}", (1, 14), "did you mean 'owner'?"),
        ("dag: {id: d, team: x}", (1, 14), "did you mean 'owner'?"),
        ("dag: {id: d, labels: [x]}", (1, 14), "did you mean 'tags'?"),
        ("dag: {id: d, tags: x}", (1, 20), "must be a list of tags, found 'x'"),
        ("dag:\n  id: d\n  tags:\n  - x\n  - 1.10", (5, 5), "a tag must be a string, found the number 1.1"),
        ("dag: {id: d, tags: [x, 'a b']}", (1, 24), "'a b' is not a tag; allowed: 1 to 63 characters"),
        ("dag: {id: d, tags: [x, y, x]}", (1, 27), "'x' is already tag 1; tags are unique"),
        ("dag: {id: d, timezone: Berlin}", (1, 24), "did you mean 'Europe/Berlin'?"),
        ("dag: {id: d, tz: UTC}", (1, 14), "did you mean 'timezone'?"),
        ("dag: {id: d, max_active_run: 1}", (1, 14), "did you mean 'max_active_runs'?"),
        ("dag: {id: d, concurrency: 1}", (1, 14), "did you mean 'max_active_runs'?"),
        ("dag: {id: d, overlap: allow}", (1, 23), "must be 'queue' or 'skip', found 'allow'"),
        ("dag: {id: d, catchup_window: 1d}", (1, 30), "has an effect only with 'catchup'"),
        ("dag: {id: d, catchup_window: 0s}", (1, 30), "must be greater than 0"),
        ("dag: {id: d, parameters: {}}", (1, 14), "did you mean 'params'?"),
        ("dag: {id: d, default_retries: 1}", (1, 14), "did you mean 'retries'?"),
        ("dag: {id: d, retry_delay: 5}", (1, 27), "the number 5 has no unit"),
        ("dag: {id: d, retry_delay: 1s, retryDelayMs: 5}", (1, 31), "mean the same; keep one"),
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
def test_a_problem_of_the_dag_has_its_line_and_column(
    text: str, place: tuple[int, int], expected: str
) -> None:
    ((line, column, task, _key, message),) = problems_of(text + "\ntasks: [{id: a, script: s}]\n")
    assert (line, column) == place
    assert task is None
    assert expected in message


def test_keys_that_were_added_later_are_free_at_the_top_level() -> None:
    text = "owner: x\ntags: {a: 1}\nparams: 5\nretries: x\ntimezone:\ndag: {id: d}\ntasks: [{id: a, script: s}]\n"
    assert {"owner", "tags", "params", "retries", "timezone"}.isdisjoint(spec_of(text).to_json())


@pytest.mark.parametrize(
    ("task", "place", "expected"),
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
        ("retries: 1001", (6, 12), "must be a whole number from 0 to 1000"),
        ("max_retries: 3", (6, 3), "did you mean 'retries'?"),
        ("retry_delay: 61m", (6, 16), "must be at most 3600000 milliseconds"),
        ("retry_dealy: 1s", (6, 3), "did you mean 'retry_delay'?"),
        ("runs: sometimes", (6, 9), "must be 'on_success' or 'always', found 'sometimes'"),
        ("trigger_rule: all_done", (6, 3), "did you mean 'runs'?"),
        ("image: Etl", (6, 10), "'Etl' cannot be used: not an image reference"),
        ("docker_image: a", (6, 3), "did you mean 'image'?"),
        ("params: {a: b}", (6, 3), "did you mean 'config'?"),
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
    task: str, place: tuple[int, int], expected: str
) -> None:
    text = f"dag: {{id: d}}\ntasks:\n- {{id: x, script: s}}\n- id: t\n  script: s\n  {task}\n- {{id: z, script: s}}\n"
    ((line, column, named, _key, message),) = problems_of(text)
    assert (line, column) == place
    assert named == "t"
    assert expected in message


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
    ("text", "line", "expected"),
    [
        ("dag: {id: d}\ntask:\n- {id: a, script: s}\n", 2, "unknown key 'task'; did you mean 'tasks'?"),
        ("dag:\n  id: d\n  tasks:\n  - {id: a, script: s}\n", 3, "belongs at the top level"),
        ("dag: {id: d}\n", 1, "needs a list of tasks"),
        ("dag: {id: d}\ntasks: {a: 1}\n", 2, "must be a list of tasks"),
    ],
)
def test_misplaced_or_missing_tasks_are_one_problem(text: str, line: int, expected: str) -> None:
    ((found, _column, _task, key, message),) = problems_of(text)
    assert (found, key) == (line, "tasks")
    assert expected in message


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = (HEAD + "- {id: a, script: s}\n").replace("\n", "\r\n").encode("utf-8-sig")
    assert [dag.id for dag in compiled(text).dags] == ["d"]


def test_good_documents_compile_and_bad_ones_are_reported() -> None:
    good, bad, other = (HEAD + "- {id: a, script: s}\n", "dag: {id: e}\n", "kind: Service\nx: !y z\n")
    result = compiled("---\n".join((other, good, bad, other)))
    assert [dag.id for dag in result.dags] == ["d"]
    assert [(found.line, found.dag) for found in result.diagnostics] == [(8, "e")]
    assert result.keyed
    assert not compiled("---\n".join((other, good, other))).keyed
    assert not compiled(bad).keyed
    assert compiled(bad + "---\n" + bad).keyed


def test_documents_with_one_id_are_all_reported_and_none_is_registered() -> None:
    one, other = HEAD + "- {id: a, script: s}\n", "dag: {id: e}\ntasks: [{id: a, script: s}]\n"
    result = compiled("---\n".join((one, other, one)))
    assert [dag.id for dag in result.dags] == ["e"]
    assert [found.line for found in result.diagnostics] == [1, 8]
    assert "(lines 1, 8)" in result.diagnostics[0].message
