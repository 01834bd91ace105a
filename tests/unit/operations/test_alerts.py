"""Prometheus reads the alerts, they fire when they should and are silent when all is well, and operators find each."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cli.runtime.programs import REPOSITORY
from schemas.settings import Settings
from schemas.topics import DAY_MS, INDEX_DELTAS, topic_specs
from tests.support.deployed import DOCKER, queries, rules

RULES = DOCKER / "prometheus" / "alerts.yml"
CASES = DOCKER / "prometheus" / "alerts.test.yml"


@pytest.fixture(scope="module")
def promtool() -> Path:
    fetched = REPOSITORY / ".cache" / "promtool" / "promtool"
    found = str(fetched) if fetched.exists() else shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: make promtool fetches it from Debian's packages")
    return Path(found)


def alerts() -> set[str]:
    return {rule["alert"] for rule in rules() if "alert" in rule}


def said(promtool: Path, *arguments: str) -> str:
    ended = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_prometheus_takes_the_rules_and_the_configuration(promtool: Path) -> None:
    assert "SUCCESS" in said(promtool, "check", "rules", str(RULES))
    assert "SUCCESS" in said(promtool, "check", "config", str(DOCKER / "prometheus" / "prometheus.yml"))


def test_alerts_fire_when_they_should_and_not_when_all_is_well(promtool: Path) -> None:
    assert "SUCCESS" in said(promtool, "test", "rules", str(CASES))


def test_every_query_of_the_dashboard_is_one(promtool: Path, tmp_path: Path) -> None:
    file = tmp_path / "queries.yml"
    asked = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": asked}]}))
    assert f"{len(asked)} rules found" in said(promtool, "check", "rules", str(file))


def test_wrong_rule_is_noticed(promtool: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yml"
    file.write_text(json.dumps({"groups": [{"name": "w", "rules": [{"record": "a", "expr": "sum(rate(x[5m])"}]}]}))
    assert subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, check=False).returncode != 0


def test_every_alert_is_tried_firing_and_silent() -> None:
    tried: dict[str, set[bool]] = {}
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for asked in case["alert_rule_test"]:
            tried.setdefault(asked["alertname"], set()).add(bool(asked["exp_alerts"]))
    assert tried == {name: {True, False} for name in alerts()}


def test_operators_find_every_alert_with_what_to_do() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text.partition("### Alerts\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", section, re.M)
    assert sorted(name for name, _, _ in rows) == sorted(alerts())
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in rules() if "alert" in rule}
    assert set(severities.values()) == {"page", "ticket"}
    for name, severity, to_do in rows:
        assert severity.strip() == severities[name]
        assert len(to_do) > 15


def test_thresholds_are_those_of_the_settings() -> None:
    expressions = {rule["alert"]: rule["expr"] for rule in rules() if "alert" in rule}
    settings = Settings()
    assert f"> {settings.stale_after_s:.0f}\n" in expressions["VitrineStale"]
    assert expressions["VitrineRecallLow"].endswith(f"< {settings.publish_min_recall}")
    specs = topic_specs(event_partitions=1, feature_partitions=1, delta_partitions=1)
    kept_ms = next(int(spec.config["retention.ms"]) for spec in specs if spec.name == INDEX_DELTAS)
    assert f"> {kept_ms // DAY_MS} * 86400" in expressions["VitrinePublicationOld"]
