"""Do dashboard, alert rules and documentation speak of metrics that there are?"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from arkway.admission import authenticate, refusals
from arkway.runtime import status
from arkway.telemetry import families as f
from arkway.telemetry import names

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "metrics.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "arkway.json").read_text())
RULES = ROOT / "deploy" / "grafana" / "arkway-alerts.yml"
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")
# What Prometheus and Grafana add to every series.
EVERYWHERE = {"job", "instance"}


def family(name):
    """Return the family that a series of this name belongs to; None: there is none."""
    if name in f.BY_NAME:
        return f.BY_NAME[name]
    for part in HISTOGRAM_PARTS:
        base = f.BY_NAME.get(name.removesuffix(part))
        if name.endswith(part) and base is not None and base.kind == f.HISTOGRAM:
            return base
    return None


def check(expression):
    """Hold that an expression uses names, labels and values that there are."""
    found = re.findall(r"(arkway_\w+)(?:\{([^}]*)\})?", expression)
    allowed = set(EVERYWHERE)
    for name, matchers in found:
        known = family(name)
        assert known is not None, name
        labels = {*known.labels, *EVERYWHERE, *({"le"} if known.bounds else ())}
        allowed |= labels
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels, (name, matchers)
        assert known.kind != f.HISTOGRAM or name != known.name, "a histogram has no plain series"
        is_rate = re.search(rf"(rate|increase)\({name}\b", expression) is not None
        is_counter = known.kind != f.GAUGE
        assert is_rate == is_counter, f"{name} is a {known.kind}"
    for grouping in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression):
        assert {label.strip() for label in grouping.split(",")} <= allowed, grouping
    return {name for name, _ in found}


def expressions(panel):
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_shows_what_there_is(panel):
    assert panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    for target in panel["targets"]:
        assert check(target["expr"])
        known = {label for name in check(target["expr"]) for label in family(name).labels}
        used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert used <= known | EVERYWHERE, target["legendFormat"]


def test_panels_do_not_overlap_and_have_names_of_their_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_metric_is_on_the_dashboard():
    shown = {family(n).name for p in PANELS for e in expressions(p) for n in check(e)}

    assert shown == set(f.BY_NAME)


def rules():
    """Return (name, expression) of each rule; the file is plain enough to be read by lines."""
    text = RULES.read_text()
    return re.findall(
        r"- alert: (\w+)\n\s+expr: (?:\|\n)?(.+?)\n\s+(?:for|labels):", text, re.DOTALL
    )


@pytest.mark.parametrize(("name", "expression"), rules(), ids=[name for name, _ in rules()])
def test_a_rule_uses_what_there_is(name, expression):
    assert check(expression) or name == "ArkwayDown"


def test_every_rule_is_read_and_says_what_to_do():
    text = RULES.read_text()
    count = len(re.findall(r"^\s+- alert:", text, re.MULTILINE))

    assert len(rules()) == len({name for name, _ in rules()}) == count
    for part in (r"summary: \S", r"action: \S", r"severity: (?:page|ticket)\}"):
        assert len(re.findall(part, text)) == count, part


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_itself_takes_the_rules():
    done = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


# The page. (Its table of metrics is made from the code: `make docs`.)


def test_bounds_and_words_of_the_page_are_those_of_the_code():
    text = " ".join(DOCS.split())
    assert f"the first {f.MAX_MODELS} that are called" in text
    assert f"the first {f.MAX_ACCOUNTS} that are used" in text
    assert f"at most {f.MAX_SETS} sets" in text
    assert f"at most {f.MAX_SERIES // 1000} 000 series" in text
    assert f"{f.FIRST_TOKEN_S[0]:g} s doubling to {f.FIRST_TOKEN_S[-1]:g} s" in text
    assert f"{f.DURATION_S[-1]:g} s" in text


def test_every_reason_is_on_the_page():
    source = "".join(Path(module.__file__).read_text() for module in (authenticate, refusals))
    source += (ROOT / "src" / "arkway" / "pipeline.py").read_text()
    reasons = set(re.findall(r'reason="(\w+)"', source))

    paragraph = DOCS[DOCS.index("Reasons:") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) >= reasons
    assert len(reasons) >= 9


def test_every_attention_is_on_the_page():
    source = Path(status.__file__).read_text()
    said = set(re.findall(r'yield \(?\s*"(\w+)"', source))

    paragraph = DOCS[DOCS.index("`what` is one of") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) - {"what"} == said


def test_opentelemetrys_metrics_are_on_the_page():
    ours = {value for name, value in vars(names).items() if name.startswith(("USAGE", "REQUEST_D"))}

    assert ours | {names.TIME_TO_FIRST_TOKEN} == set(re.findall(r"\| `(gen_ai\.\S+)` \|", DOCS))
