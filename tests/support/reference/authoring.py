"""Files with DAGs of one task each, and what they say: written here, so nobody has to compile them to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.support.reference.model import Authored, Spec

# The script of each DAG's one task, by DAG id.
Scripts = Mapping[str, str]


def yaml_file(scripts: Scripts, comment: str = "", broken: Iterable[str] = ()) -> Authored:
    """A document for each DAG. Those named in `broken` can be read and are no valid DAG, so the file fails in part.

    Another `comment` changes the text and no DAG.
    """
    broken = set(broken)
    documents = [
        f"dag:\n  id: {dag_id}\ntasks:\n- id: a\n  {'scirpt' if dag_id in broken else 'script'}: {script}\n"
        for dag_id, script in scripts.items()
    ]
    return Authored(
        (f"# {comment}\n" if comment else "") + "---\n".join(documents),
        _specs({dag_id: script for dag_id, script in scripts.items() if dag_id not in broken}),
        fails=bool(broken),
        is_keyed=len(scripts) > 1,
    )


def unreadable_yaml(comment: str = "") -> Authored:
    """A file that is meant as a DAG and cannot be read."""
    return Authored(f"dag: [  # {comment}\n", fails=True)


def yaml_without_dag(comment: str = "") -> Authored:
    """A file of somebody else's, which is no DAG file."""
    return Authored(f"services: {{}}  # {comment}\n")


def python_file(scripts: Scripts, comment: str = "") -> Authored:
    """A module with these DAGs."""
    dags = [
        f"d{number} = Dag({dag_id!r})\nd{number}.task('a', script={script!r})\n"
        for number, (dag_id, script) in enumerate(scripts.items())
    ]
    return Authored(f"# {comment}\nfrom kiok import Dag\n{''.join(dags)}", _specs(scripts), is_keyed=True)


def failing_python(comment: str = "") -> Authored:
    """A module that makes a DAG, and then raises: it gives none."""
    return Authored(
        f"from kiok import Dag\nDag('x')\nraise ValueError({comment!r})\n", fails=True, is_keyed=True
    )


def _specs(scripts: Scripts) -> dict[str, Spec]:
    return {dag_id: one_task_dag(dag_id, script) for dag_id, script in scripts.items()}


def one_task_dag(dag_id: str, script: str) -> Spec:
    """The compiled form of a DAG with one shell task, every key by hand."""
    task: Spec = {
        "id": "a",
        "type": "shell",
        "script": script,
        "requires": [],
        "timeoutMs": None,
        "config": {},
    }
    return {
        "id": dag_id,
        "name": dag_id,
        "description": None,
        "schedule": None,
        "catchup": False,
        "defaultTimeoutMs": None,
        "tasks": [task],
    }
