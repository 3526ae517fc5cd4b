"""Is the page of the admin API true? Its commands are run, its lists come from the code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from arkway.control.admin.errors import CODES
from arkway.control.admin.operations import OPERATIONS
from support.control import Control

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "admin-api.md"


@pytest.mark.slow
def test_the_commands_do_what_the_page_says(tmp_path):
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with Control() as control:
        lines = ["set -e", *blocks]
        script = "\n".join(lines).replace("127.0.0.1:8081", f"127.0.0.1:{control.port}")
        script = script.replace("curl -s", r"curl -s -w '\n%{http_code}\n'")
        bin_ = Path(sys.executable).parent
        env = {**control.env, "PATH": f"{bin_}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", script],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 0, done.stderr
    statuses = re.findall(r"^(\d{3})$", done.stdout, re.MULTILINE)
    assert len(statuses) == script.count("curl -s")
    assert set(statuses) <= {"200", "201"}, done.stdout


@pytest.mark.parametrize(
    "name", ["docs/admin-api.md", "docs/admin-openapi.json", "docs/openapi.json"]
)
def test_what_is_made_from_the_code_is_up_to_date(gen_docs, name):
    text = (ROOT / name).read_text()

    assert gen_docs.generated(name, text) == text, "run tools/gen_docs.py"


def test_every_route_and_code_is_there():
    text = PAGE.read_text()

    assert [e.name for e in OPERATIONS if f"`{e.method} {e.path}`" not in text] == []
    assert [code for code in CODES if f"`{code}`" not in text] == []


def test_the_example_of_an_error_has_the_form_of_one():
    from arkway.control.admin.errors import wrong
    from arkway.store.problems import Problem

    (example,) = [
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "error" in block
    ]
    problem = Problem("expire", "unknown parameter", "did you mean expires?")

    assert example == wrong(problem).document(example["error"]["request_id"])


def test_every_code_is_used():
    files = (ROOT / "src/arkway/control/admin").glob("*.py")
    source = "\n".join(path.read_text() for path in files if path.name != "errors.py")
    source += 'AdminError("invalid_request"'  # `errors.wrong`

    assert [code for code in CODES if f'"{code}"' not in source] == []
