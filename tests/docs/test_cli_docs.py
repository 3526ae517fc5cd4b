import re
import shlex
from pathlib import Path

import typer

from arkway.cli.app import whole

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "cli.md"


def test_the_reference_is_the_command_tree(gen_docs):
    text = DOCUMENT.read_text()

    assert gen_docs.generated("docs/cli.md", text) == text, "run tools/gen_docs.py"


def test_every_example_uses_flags_that_exist(gen_docs):
    tree = dict(gen_docs._leaves("arkway", typer.main.get_command(whole())))
    code = "\n".join(re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
    lines = re.findall(r"(?:^|[ (])arkway (.*?)\)?$", code.replace("\\\n", " "), re.MULTILINE)

    for line in lines:
        words = shlex.split(line, comments=True)
        path = next(p for p in tree if f"{' '.join(['arkway', *words])} ".startswith(f"{p} "))
        known = {option for p in tree[path].params for option in [*p.opts, *p.secondary_opts]}
        assert {word for word in words if word.startswith("--")} <= known, line
    assert len(lines) > 10
