"""The Grafana dashboard and what a node really exposes, held against each other."""

import json
import re
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import exposition
from tests.media.conftest import ROOM, ROOT, TOKEN, NodeProcess

DASHBOARD = ROOT / "deploy" / "grafana" / "media-nodes.json"
PARTS = re.compile(r"_(total|bucket|count|sum|created)$")


def family(sample: str) -> str:
    return PARTS.sub("", sample)


def in_dashboard() -> set[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    named = [re.findall(r"diemcau_\w+", target["expr"]) for panel in panels for target in panel["targets"]]
    assert all(named), "every target asks for something of ours"
    return {name for names in named for name in names}


@pytest.fixture
def exposed(node: NodeProcess) -> dict[str, str]:
    """Sample name -> type of its family, as the web process passes them on."""
    node.plan(1, {}, [], recording=True)
    node.ok("POST", f"/rooms/{ROOM}/peers/bp_v/down", {"slots": ["stage"]})
    asked = urllib.request.Request(node.state["control_url"] + "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        text = exposition([answer.read()])
    return {sample.name: one.type for one in text_string_to_metric_families(text.decode()) for sample in one.samples}


def test_every_metric_in_the_dashboard_is_exposed_and_every_one_that_is_exposed_has_a_panel(
    exposed: dict[str, str],
) -> None:
    shown = in_dashboard()
    assert {name for name in shown if name not in exposed} == set(), "in the dashboard only"
    ours = {family(name) for name in exposed if name.startswith("diemcau_")}
    assert ours - {family(name) for name in shown} == set(), "without a panel"


def test_panels_use_each_metric_as_what_it_is(exposed: dict[str, str]) -> None:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            for name in re.findall(r"diemcau_\w+", target["expr"]):
                changes = exposed[name] in ("counter", "histogram")
                assert ("rate(" in target["expr"]) == changes, target["expr"]


def test_panels_do_not_overlap() -> None:
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(set(places)) == len(places)


def test_the_scrape_asks_where_the_metrics_are() -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    assert "metrics_path: /metrics" in text and "credentials_file:" in text
    assert not Path(ROOT / "deploy" / "prometheus" / "metrics-token").exists(), "no secret in the tree"
