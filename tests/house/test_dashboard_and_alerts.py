"""deploy/monitoring names metrics and labels that there are, every metric is on the dashboard, and each alert names
a section of the runbook."""

import json
import re
from pathlib import Path
from typing import Any

from hub.bulk.jobs import FAILED, WAITING
from hub.inbox.messages import STATES as INBOX
from hub.monitoring.counters import COUNTED
from hub.monitoring.gauges import GAUGES
from hub.referrals.clocks import STATES as CLOCKS

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "deploy" / "monitoring" / "grafana-dashboard.json"
ALERTS = ROOT / "deploy" / "monitoring" / "alerts.yaml"
RUNBOOK = ROOT / "docs" / "runbook.md"
LABELS = {
    **{one.name: set(one.labels) for one in GAUGES},
    **{name: set(labels) for name, labels, _ in COUNTED},
    "hub_up": set(),
    "hub_build_info": {"version"},
}
OF_A_HISTOGRAM = re.compile(r"_(?:bucket|count|sum)$")
METRIC = re.compile(r"\b(hub_[a-z_]+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)=~?"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
EVERYWHERE = {"le", "instance"}  # Prometheus' own
VALUES = {
    ("hub_inbox_messages", "state"): set(INBOX),
    ("hub_outbox_rows", "state"): {"waiting", "done", "dead"},
    ("hub_bulk_jobs", "state"): {WAITING, FAILED},
    ("hub_clocks", "state"): set(CLOCKS),
    ("hub_subscriptions", "status"): {"requested", "active", "error", "off"},
    ("hub_mllp_answers_total", "code"): {"AA", "AE", "AR", "CA", "CE", "CR", "none", "silence"},
}


def board() -> list[str]:
    """The expressions of the dashboard."""
    panels: list[dict[str, Any]] = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def alerts() -> list[str]:
    """The expressions of the rules; those of several lines are folded, as YAML does."""
    page = re.sub(r"expr: >-\n((?: {10}.*\n)+)", lambda found: f"expr: {' '.join(found[1].split())}\n", _alerts())
    return re.findall(r"^ +expr: (.+)$", page, re.MULTILINE)


def _alerts() -> str:
    return ALERTS.read_text(encoding="utf-8")


def metrics(expression: str) -> list[tuple[str, str]]:
    return [(OF_A_HISTOGRAM.sub("", name), within) for name, within in METRIC.findall(expression)]


def test_every_metric_and_label_that_is_named_is_one() -> None:
    for expression in (*board(), *alerts()):
        named = metrics(expression)
        assert named, expression
        known = EVERYWHERE.union(*(LABELS[name] for name, _ in named))
        for name, within in named:
            for label, value in LABEL.findall(within):
                assert label in LABELS[name], expression
                assert set(value.split("|")) <= VALUES.get((name, label), {value}) or value == "5..", expression
        for labels in GROUPED.findall(expression):
            assert {label.strip() for label in labels.split(",")} <= known, expression


def test_every_metric_is_on_the_dashboard() -> None:
    assert {name for expression in board() for name, _ in metrics(expression)} == LABELS.keys()


def test_each_alert_leads_to_a_section_of_the_runbook() -> None:
    named = [text.strip(' "') for text in re.findall(r"runbook: ([^}]+)}", _alerts())]
    headings = set(re.findall(r"^#+ (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(named) == len(alerts()) == len(re.findall(r"- alert: ", _alerts()))
    assert [one for one in named if one not in headings] == []
