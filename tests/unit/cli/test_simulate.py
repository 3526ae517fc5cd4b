"""`arkway simulate` as a script and a stranger use it."""

import json

import pytest


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """Two minutes of conversations: a turn a second, eight of them in turns."""
    path = tmp_path_factory.mktemp("traces") / "trace.jsonl"
    lines = []
    for at in range(120):
        turn, conversation = divmod(at, 8)
        ids = [0, *range(1000 * (conversation + 1), 1000 * (conversation + 1) + 2 * turn + 4)]
        sizes = {"input_length": 512 * len(ids), "output_length": 100}
        lines.append(json.dumps({"timestamp": at * 1000, **sizes, "hash_ids": ids}))
    path.write_text("\n".join(lines))
    return path


def test_one_object_whatever_is_asked(arkway, trace, tmp_path):
    ways = [
        ["--compare"],
        ["--no-header", "--ttl-s", "30", "--nodes", "2", "--lag-s", "0.5"],
        ["--headroom", "4", "--kill-account-at-s", "60", "--add-account-at-s", "90"],
        ["--plan", "--tpm", "1000000"],
    ]
    for at, way in enumerate(ways):
        out = tmp_path / f"run-1.{at}{'.json' if at else ''}"  # what it adds may be there
        status, text, err = arkway(
            "simulate", "--trace", str(trace), "--accounts", "4", "--json", "--out", str(out), *way
        )
        found = json.loads(text)

        assert (status, err, text.count("\n")) == (0, "", 1)
        assert set(found) >= {"trace", "accounts", "bound", "policies"}
        assert 0 < found["bound"] < 1
        assert found["policies"][0]["name"] == "elastic"
        assert found["policies"][0]["header"] is ("--no-header" not in way)
        assert json.loads((tmp_path / f"run-1.{at}.json").read_text()) == found
        assert (tmp_path / f"run-1.{at}.svg").read_text().startswith("<svg")


def test_a_plan_that_does_not_work_out_fails_for_scripts_too(arkway, trace):
    status, text, err = arkway("simulate", "--trace", str(trace), "--plan", "--tpm", "1", "--json")

    assert status == 1
    assert json.loads(text)["accounts"] is None
    assert "not even 1024 accounts" in err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--headroom nan", "--headroom: must be a finite number"),
        ("--headroom inf", "--headroom: must be a finite number"),
        ("--ttl-s nan", "--ttl-s: must be a number"),
        ("--nodes 2 --lag-s nan", "--lag-s: must be a finite number"),
        ("--kill-account-at-s nan", "--kill-account-at-s: must be a finite number"),
        ("--kill-account-at-s 120", "--kill-account-at-s: must be within the trace"),
        ("--add-account-at-s 500", "--add-account-at-s: must be within the trace"),
        ("--revive-account-at-s 9", "needs an earlier --kill-account-at-s"),
        ("--kill-account-at-s 9 --revive-account-at-s 9", "needs an earlier"),
        ("--lose-shared-at-s 9", "needs more than one of --nodes"),
        ("--headroom 2 --rpm 9", "--headroom excludes --rpm, --tpm and --in-flight"),
        ("--plan", "--plan needs limits"),
        ("--plan --rpm 9 --compare", "--plan and --compare exclude each other"),
        ("--fewer-than 9", "--fewer-than is for --plan"),
        ("--out /no/such/place", "--out: /no/such is no directory"),
        ("--accounts 0", "--accounts"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(arkway, trace, flags, said):
    status, text, err = arkway("simulate", "--trace", str(trace), *flags.split())

    assert (status, text) == (2, "")
    assert said in err
    assert err.count("\n") == 1
