import json

import pytest

from arkway.simulate.ark import run_io


@pytest.fixture
def started(arkway, monkeypatch):
    """Run `arkway sim ark` without a server; return its settings, files and how it would tell."""
    seen = []

    def run(settings, files, ready):
        seen.append((settings, files))
        ready(
            {
                "control": "http://127.0.0.1:1",
                "accounts": [{"name": "ark-1", "base_url": "http://127.0.0.1:2", "key": "k"}],
            }
        )
        return 0

    monkeypatch.setattr(run_io, "run", run)

    def start(*flags):
        seen.clear()
        status, out, err = arkway("sim", "ark", *flags)
        return (*(seen[0] if seen else (None, None)), status, out, err)

    return start


def test_nothing_given_is_all_defaults(started):
    settings, files, status, out, err = started()

    assert status == 0
    assert (settings.number_of_accounts, settings.own_ports, settings.log) == (1, False, "")
    assert settings.limits.requests_per_min == 30_000
    assert files == run_io.Files()
    assert out.splitlines() == ["ark-1  http://127.0.0.1:2  k", "control  http://127.0.0.1:1"]
    assert "ready" in err


def test_every_flag(started, tmp_path):
    settings, files, *_ = started(
        "--accounts", 3, "--host", "::1", "--port", 7_000, "--own-ports", "--control-port", 7_100,
        "--rpm", 5, "--tpm", "none", "--in-flight", 2, "--retry-after", "--instant",
        "--tokens-per-s", 9, "--answer-tokens", 8, "--speed", 60, "--seed", 4,
        "--fault", "cut every=2 accounts=ark-1,ark-2", "--fault", "hang",
        "--log", tmp_path / "log", "--pool-file", tmp_path / "pool", "--env-file", tmp_path / "env",
    )  # fmt: skip

    assert (settings.number_of_accounts, settings.host, settings.port) == (3, "::1", 7_000)
    assert (settings.own_ports, settings.control_port, settings.retry_after) == (True, 7_100, True)
    limits = settings.limits
    assert (limits.requests_per_min, limits.tokens_per_min, limits.in_flight) == (5, None, 2)
    timing = settings.timing
    assert (timing.first_token_s, timing.prefill_tokens_per_s, timing.tokens_per_s) == (0, 0, 9)
    assert (settings.answers.tokens, settings.speed, settings.seed) == (8, 60, 4)
    assert [(rule.kind, rule.every, rule.accounts) for rule in settings.faults] == [
        ("cut", 2, ("ark-1", "ark-2")), ("hang", 0, ()),
    ]  # fmt: skip
    assert settings.log == str(tmp_path / "log")
    assert files == run_io.Files(tmp_path / "pool", tmp_path / "env")


def test_flags_win_over_the_file(started, tmp_path):
    file = tmp_path / "sim.toml"
    file.write_text(
        "number_of_accounts = 5\nseed = 9\n[limits]\nrequests_per_min = 7\nin_flight = 3\n"
    )
    settings, *_ = started("--config", file, "--accounts", 2, "--rpm", 8)

    assert (settings.number_of_accounts, settings.seed) == (2, 9)
    assert (settings.limits.requests_per_min, settings.limits.in_flight) == (8, 3)


def test_one_limit_leaves_the_others_at_their_defaults(started):
    limits = started("--rpm", 8)[0].limits

    assert (limits.requests_per_min, limits.tokens_per_min) == (8, 5_000_000)


def test_json_is_one_object(started):
    _, _, _, out, err = started("--json")

    assert json.loads(out)["control"] == "http://127.0.0.1:1"
    assert err == ""


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--accounts", 0), "arkway: number_of_accounts: must be `int` >= 1"),
        (("--tpm", "much"), "tokens_per_min: must be a whole number or none"),
        (("--fault", "nonsense"), "faults"),
        (("--fault", "cut accounts='a"), "--fault: No closing quotation"),
        (("--fault", "refuse accounts=ark-1"), "own_ports"),
        (("--speed", 0), "speed"),
    ],
)
def test_what_cannot_be_is_one_line(started, flags, says):
    _, _, status, out, err = started(*flags)

    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_file_that_cannot_be(started, tmp_path):
    (tmp_path / "sim.toml").write_text("nope = 1")

    assert "nope" in started("--config", tmp_path / "sim.toml")[4]
    assert started("--config", tmp_path / "missing.toml")[2] == 1
