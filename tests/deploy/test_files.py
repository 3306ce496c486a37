"""The files in deploy/, for themselves: complete, and pointing at what exists."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from router.gateway.operations import alerts
from tests.deploy.expressions import ALERTS, DEPLOY, dashboard, expressions, rules, selected

DOCS = Path(__file__).parents[2]
ANCHOR = re.compile(r"[^\w\- ]")


@cache
def sections(page: Path) -> dict[str, str]:
    """Return the text of each section of a page, by its anchor as GitHub makes it."""
    parts = re.split(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    anchors = [ANCHOR.sub("", title.lower()).replace(" ", "-") for title in parts[1::2]]
    return dict(zip(anchors, parts[2::2], strict=True))


def test_every_expression_is_promql() -> None:
    found = list(expressions())
    assert len(found) > 80
    for where, expression in found:
        assert selected(where, expression), f"{where} selects nothing"


def test_an_expression_is_taken_apart_to_names_and_labels() -> None:
    text = 'sum by (le, code) (rate(a_bucket{job="x"}[5m])) / on (node) b{c!="d"}'
    seen = {(each.name, *each.labels) for each in selected("here", text)}
    assert seen == {
        ("a_bucket", "job"),
        ("a_bucket", "le"),
        ("a_bucket", "code"),
        ("a_bucket", "node"),
        ("b", "c"),
        ("b", "node"),
    }
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        selected("here", "sum by (le (x)")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_says_what_it_is_and_where_to_read_on(rule: dict) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Relaymesh[A-Z][A-Za-z]+", rule["alert"])
    assert re.fullmatch(r"\d+[sm]", rule.get("for", "0s"))
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert all(len(text) > 10 for text in notes.values())
    page, _, anchor = notes["runbook_url"].partition("#")
    assert f"`{rule['alert']}`: " in sections(DOCS / page)[anchor]


def test_the_alerts_of_the_status_have_the_names_of_rules() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    source = Path(alerts.__file__).read_text()
    told = set(re.findall(r'"(Relaymesh\w+)"', source))
    assert len(told) >= 8
    assert told <= set(names)


def test_the_summary_of_an_alert_names_labels_that_its_expression_leaves() -> None:
    for rule in rules():
        text = " ".join(rule["annotations"].values())
        named = set(re.findall(r"\$labels\.(\w+)", text))
        grouped = re.search(r"by \(([^)]*)\)", rule["expr"])
        if grouped and "group_left" not in rule["expr"]:
            assert named <= set(grouped[1].replace(",", " ").split()), rule["alert"]


def test_the_dashboard_can_be_imported_and_its_panels_do_not_overlap() -> None:
    board = dashboard()
    assert (board["uid"], board["schemaVersion"] >= 36) == ("relaymesh", True)
    assert {each["name"] for each in board["templating"]["list"]} == {
        "datasource",
        "job",
        "instance",
    }
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} overlaps"
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"


SUBJECTS = (
    *("relaymesh_access_connections", "relaymesh_edge_deliveries_total"),
    *("relaymesh_access_latency_seconds_bucket", "relaymesh_access_drops_total"),
    *("relaymesh_access_skipped_total", "relaymesh_relay_lane_depth", "relaymesh_mesh_lane_depth"),
    *("relaymesh_router_bus_lag", "relaymesh_heat_rooms", "relaymesh_mesh_relays_up"),
    *("relaymesh_access_likes_in_total", "relaymesh_logic_im_outbox_overdue"),
    *("relaymesh_logic_notifications_sent_total", "process_resident_memory_bytes"),
    *("process_cpu_seconds_total", "relaymesh_certificate_expires_seconds"),
    *("relaymesh_gateway_errors_total", "relaymesh_serving_refused_total"),
    *("relaymesh_edge_handshake_errors_total", "relaymesh_relay_region_up"),
)


def test_the_dashboard_covers_each_subject() -> None:
    panels = [one for one in expressions() if one[0].startswith("panel ")]
    shown = {each.name for one in panels for each in selected(*one)}
    assert set(SUBJECTS) - shown == set()


def test_the_scrape_config_names_the_rules_and_a_job_for_each_role() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert config["rule_files"] == [ALERTS.name]
    jobs = {each["job_name"] for each in config["scrape_configs"]}
    assert jobs == {f"relaymesh-{role}" for role in ("access", "relay", "router", "logic")}
