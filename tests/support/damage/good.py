"""Good DAG files, in as many spellings as authors have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

WORDS = ("load", "clean", "report", "export", "check", "notify", "ärger", "月次")
SCRIPTS = (
    "echo hello",
    "psql -c 'select 1' \"$DB\"",
    "curl https://example.org/a?b=c | jq .",
    "for i in 1 2 3; do echo $i; done",
)


@dataclass(frozen=True)
class GoodFile:
    """A file and the DAGs that it gives."""

    path: str
    content: bytes
    ids: tuple[str, ...]
    is_keyed: bool

    def uids(self, repository: str) -> set[str]:
        base = f"{repository}/{self.path}"
        return {f"{base}::{id_}" for id_ in self.ids} if self.is_keyed else {base}


def files_of(random: Random, folder: str, jar: bytes | None) -> list[GoodFile]:
    """The DAG files of a repository: YAML always, Python often, a jar where one is given."""
    made = [_yaml(random, f"{folder}/{name}") for name in ("a.yaml", "sub/b.yml")[: random.randint(1, 2)]]
    if random.random() < 0.4:
        made.append(_documents(random, f"{folder}/many.yaml"))
    if random.random() < 0.5:
        made.append(_python(random, f"{folder}/flow.py"))
    if jar is not None:
        made.append(GoodFile(f"{folder}/flow.jar", jar, ("from_jar",), is_keyed=True))
    return made


def _yaml(random: Random, path: str) -> GoodFile:
    style = random.choice((_block, _block, _block, _flow, _json))
    text = style(random, "only")
    if random.random() < 0.3:
        text = f"# {random.choice(WORDS)}\n{text}"
    if random.random() < 0.2:
        text = text.replace("\n", "\r\n")
    return GoodFile(path, text.encode(), ("only",), is_keyed=False)


def _documents(random: Random, path: str) -> GoodFile:
    ids = ("first", "second", "third")[: random.randint(2, 3)]
    texts = [random.choice((_block, _flow))(random, id_) for id_ in ids]
    if random.random() < 0.3:
        texts.insert(random.randint(0, len(texts)), "shared: {x: 1}\n")
    return GoodFile(path, "---\n".join(texts).encode(), ids, is_keyed=True)


def _python(random: Random, path: str) -> GoodFile:
    ids = ("one", "two")[: random.randint(1, 2)]
    lines = ["from kiok import Dag", ""]
    for id_ in ids:
        lines.append(f'{id_} = Dag("{id_}", schedule="{random.randint(0, 59)} 3 * * *")')
        for index in range(random.randint(1, 3)):
            lines.append(f'{id_}.task("t{index}", script={random.choice(SCRIPTS)!r})')
    return GoodFile(path, ("\n".join(lines) + "\n").encode(), ids, is_keyed=True)


def _tasks(random: Random) -> list[dict[str, str]]:
    return [{"id": f"t{index}", "script": random.choice(SCRIPTS)} for index in range(random.randint(1, 3))]


def _block(random: Random, id_: str) -> str:
    indent = random.choice(("  ", "    "))
    item = random.choice(("", indent))
    lines = ["dag:", f"{indent}id: {id_}"]
    if random.random() < 0.5:
        lines.append(f'{indent}schedule: "{random.randint(0, 59)} * * * *"')
    if random.random() < 0.5:
        lines.append(f"{indent}description: {random.choice(WORDS)} every hour")
    lines.append("tasks:")
    for task in _tasks(random):
        lines.append(f"{item}- id: {task['id']}")
        lines += [f"{item}  script: |", f"{item}    {task['script']}"]
    return "\n".join(lines) + "\n"


def _flow(random: Random, id_: str) -> str:
    tasks = ", ".join(
        f"{{id: {task['id']}, script: {json.dumps(task['script'])}}}" for task in _tasks(random)
    )
    return f"dag: {{id: {id_}}}\ntasks: [{tasks}]\n"


def _json(random: Random, id_: str) -> str:
    return json.dumps({"dag": {"id": id_}, "tasks": _tasks(random)}, indent=random.choice((None, 2))) + "\n"
