"""The alerts and the dashboard of ops/: Prometheus accepts them, and each alert is tested and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gitsync.monitoring.metrics import METRICS
from tests.support.documents import RUNBOOKS, section
from tests.support.promtool import (
    OPS,
    RULES,
    RULES_TEST,
    SCRAPE,
    alerts,
    dashboard,
    dashboard_expressions,
    grouping_labels,
    panels,
    promtool,
    selectors,
)

ALERTS = [rule["alert"] for rule in alerts()]


def test_prometheus_accepts_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alert_fires_in_its_own_situation_only() -> None:
    done = promtool("test", "rules", RULES_TEST)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alert_is_tested_before_it_fires_and_while_it_fires() -> None:
    cases = [
        case
        for test in yaml.safe_load(RULES_TEST.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    waits = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == waits == set(ALERTS)


def test_prometheus_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    """The configuration names the file of the token, which promtool requires to exist."""
    token = tmp_path / "token"
    token.write_text("a-token-of-enough-characters")
    text = SCRAPE.read_text().replace("/etc/prometheus/kiok-token", str(token))
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / "alerts.yml").write_text(RULES.read_text())
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(token) in text


@pytest.mark.parametrize("rule", alerts(), ids=ALERTS)
def test_alert_has_a_summary_a_severity_and_a_runbook(
    rule: dict[str, dict[str, str]],
) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    page = RUNBOOKS / f"{rule['alert']}.md"
    assert rule["annotations"]["runbook_url"] == str(page.relative_to(OPS.parent))
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {rule['alert']}\n\nSeverity: {rule['labels']['severity']}. ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Meaning", "Impact", "Diagnosis", "What to do"]
    assert all(len(section(page, heading).split()) >= 4 for heading in headings)
    assert len(text.split()) >= 40


def test_runbooks_name_alerts_that_exist() -> None:
    listed = re.findall(r"\]\((Kiok\w+)\.md\)", (RUNBOOKS / "README.md").read_text(encoding="utf-8"))
    assert listed == ALERTS
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {*ALERTS, "README"}
    assert len(set(ALERTS)) == len(ALERTS)


@pytest.mark.parametrize("expr", [str(rule["expr"]) for rule in alerts()], ids=ALERTS)
def test_alerts_do_not_depend_on_the_number_of_web_servers(expr: str) -> None:
    assert "instance" not in expr
    for name, _ in selectors(expr):
        before = re.findall(rf"(\S+ ?\([^()]*\)|absent) ?\((?:increase\()?{name}\b", expr)
        assert before, (name, expr)
        assert all(found == "absent" or found.startswith("by (job") for found in before), before


def test_dashboard_is_valid_for_grafana() -> None:
    shown = dashboard()
    assert shown["title"]
    assert shown["uid"] == "kiok-git-sync"
    assert shown["schemaVersion"] >= 36
    variables = {item["name"]: item for item in shown["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in shown["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in shown["panels"]]
    assert all(titles)
    used = set(re.findall(r"\$\{?(\w+)", str(shown["panels"])))
    assert used == set(variables)
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["expr"].strip(), panel["title"]
            assert target["datasource"]["uid"] == "${datasource}"


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_parses_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(dashboard_expressions())
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_in_an_alert_or_on_the_dashboard() -> None:
    named = {
        name
        for expr in (*(rule["expr"] for rule in alerts()), *dashboard_expressions())
        for name, _ in selectors(expr)
    }
    assert named == {metric.name for metric in METRICS}


def test_labels_in_expressions_are_labels_of_their_metrics() -> None:
    labels = {metric.name: set(metric.labels) for metric in METRICS}
    for expr in (*(rule["expr"] for rule in alerts()), *dashboard_expressions()):
        known = set().union(*(labels[name] for name, _ in selectors(expr)), {"job"})
        assert grouping_labels(expr) <= known, expr
