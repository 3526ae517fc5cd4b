"""What does an operator see of a real gateway before simulated Ark accounts? doctor, top, list."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.gateway import UPSTREAM_KEY, Gateway
from support.sim import Sim
from support.stores import SECRET

TESTS_OWN = {"stderr.log", "stdout.log"}
STILL = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 0}


def run(gateway, *arguments, **environ):
    """Run `arkway` beside the gateway, in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "arkway", *arguments], env={**gateway._env, **environ},
        cwd=gateway.home, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def examined(gateway, *arguments, **environ):
    done = run(gateway, "doctor", "--json", *arguments, **environ)
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert done.returncode == (0 if document["ok"] else 1)
    for secret in (SECRET, UPSTREAM_KEY, *(v for k, v in gateway._env.items() if "SIM_KEY" in k)):
        assert secret not in done.stdout
    return document["findings"]


def wrong(findings):
    return {(each["check"], each["level"]): each for each in findings if each["level"] != "ok"}


def is_well(findings, accounts):
    """Hold that all is well; a slow interpreter or a small limit here is none of our doing."""
    assert not [each for each in findings if each["level"] == "problem"], findings
    assert any("is the running gateway's" in each["text"] for each in findings)
    for name in accounts:
        of_it = [each["text"] for each in findings if each["check"] == f"account {name}"]
        assert any("answers in" in text for text in of_it)
        assert any("healthy" in text for text in of_it)


@pytest.fixture(scope="module")
def pair():
    settings = {"number_of_accounts": 2, "timing": STILL}
    with Sim(settings) as sim, Gateway({"accounts": sim.pool}, env=sim.env) as gateway:
        gateway.home.chmod(0o700)
        for path in gateway.home.iterdir():  # the tests' own files are for everybody
            path.chmod(0o600)
        yield sim, gateway
        assert gateway.unhandled() == ""


@pytest.mark.e2e
def test_a_gateway_from_its_best_day_to_its_worst(pair):
    sim, gateway = pair
    gateway.chat("hello")
    accounts = [each["name"] for each in sim.accounts]

    is_well(examined(gateway), accounts)

    # An account whose credential the upstream refuses.
    sim.set_faults({"kind": "error", "status": 401, "accounts": [accounts[0]]})
    for n in range(40):
        gateway.chat(f"hello {n}")
    broken = wrong(examined(gateway))["account " + accounts[0], "problem"]
    assert "status 401" in broken["text"]
    assert f"arkway accounts test {accounts[0]}" in broken["advice"]
    top = run(gateway, "top", "--once").stdout
    assert "broken" in top
    assert "status 401" in top
    live = {each["name"]: each["live"] for each in json.loads(
        run(gateway, "accounts", "list", "--json").stdout)}  # fmt: skip
    assert [live[name]["state"] for name in accounts] == ["broken", "up"]

    # A secret that others can read, a setting that is none, a variable that is missing here only.
    secret = gateway.home / "store.db"
    secret.chmod(0o644)
    with gateway.config.open("a") as file:
        file.write("\n[limts]\nmax_choices = 2\n")
    bad = examined(gateway, ARKWAY_LOG_LEVL="debug", **{list(sim.env)[1]: ""})
    advice = {each["advice"] for each in bad}
    assert f"chmod 600 {secret}" in advice
    assert {"did you mean limits?", "did you mean ARKWAY_LOG_LEVEL?"} <= advice
    assert ("account " + accounts[1], "problem") not in wrong(bad)
    assert any("is not set here, but in the gateway" in each["text"] for each in bad)

    # The gateway is gone, and so are its accounts: nobody answers, what it left is said.
    gateway.process.kill()
    gateway.process.wait()
    sim.kill()
    worst = examined(gateway)
    assert any("none runs" in each["text"] for each in worst)
    for name in accounts:
        assert "connecting failed" in wrong(worst)["account " + name, "problem"]["text"]
    offline = examined(gateway, "--offline")
    assert not any("connecting" in each["text"] for each in offline)


@pytest.mark.e2e
def test_every_file_of_a_running_gateways_home_is_documented(pair):
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    table = page.partition("### Files in `ARKWAY_HOME`")[2].partition("\n\n## ")[0]
    found = {path.name for path in pair[1].home.iterdir()}
    found = {name.removesuffix("-wal").removesuffix("-shm") for name in found}

    assert {"store.db", "ledger.db", "ledger.journal"} <= found
    assert {name for name in found if f"| `{name}`" not in table} <= TESTS_OWN
