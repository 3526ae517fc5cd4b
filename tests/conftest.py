"""What every test of a real process gets: the gateway's own words when it fails.

Hypothesis draws the same examples in every run, so that a red run stays red until something is
mended; `HYPOTHESIS_PROFILE=explore` looks for new ones.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from support.gateway import Gateway
from support.lab import Lab

settings.register_profile("repeat", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

REAL_PROCESS = ("conformance", "faults", "e2e")  # directories whose tests start a gateway


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a real process, so that `-m "not e2e"` is the quick half."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in REAL_PROCESS:
            item.add_marker(pytest.mark.e2e)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests have measured (`record_property("figures", …)`), passed or not."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", ()):
                if name == "figures":
                    terminalreporter.write_line(f"{report.nodeid}: {value}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the output of every gateway a failed test used."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            gateway = value.gateway if isinstance(value, Lab) else value
            if isinstance(gateway, Gateway):
                report.sections.append(("gateway", gateway.output()))
    return report


@pytest.fixture(autouse=True)
def nothing_unhandled(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold after each test that no gateway it shares has logged an unhandled exception."""
    yield
    for value in request.node.funcargs.values():
        if isinstance(value, Lab):
            assert value.gateway.unhandled() == ""
