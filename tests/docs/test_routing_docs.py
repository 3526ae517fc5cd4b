"""docs/routing.md names every setting with its default."""

import re
from pathlib import Path

from arkway.routing.policy import RoutingPolicy

PAGE = Path(__file__).parents[2] / "docs" / "routing.md"


def test_every_setting_is_documented_with_its_default():
    said = dict(re.findall(r"^\| `(\w+)` \| ([\w.]+) \|", PAGE.read_text(), re.MULTILINE))
    policy = RoutingPolicy()

    settings = {name: getattr(policy, name) for name in policy.__struct_fields__}

    assert said.keys() == settings.keys()
    for name, value in settings.items():
        shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value:g}"
        assert float(said[name]) == value if not isinstance(value, bool) else said[name] == shown
