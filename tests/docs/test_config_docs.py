import re
import tomllib
from pathlib import Path

from arkway.control.load import assemble
from arkway.control.settings import SCALARS
from arkway.store.entries import Account, Key, Model
from arkway.store.schema import fields_of

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "config.md"


def test_the_tables_are_those_of_the_schema(gen_docs):
    text = DOCUMENT.read_text()

    assert gen_docs.generated("docs/config.md", text) == text, "run tools/gen_docs.py"


def test_every_setting_is_there_with_its_variable():
    text = DOCUMENT.read_text()

    assert [s.dotted for s in SCALARS if f"`{s.variable}`" not in text] == []
    for title, kind in (("Keys", Key), ("Accounts", Account), ("Models", Model)):
        section = text.partition(f"### {title}")[2].partition("\n### ")[0]
        assert [key for key in fields_of(kind) if f"| `{key}` |" not in section] == []


def test_the_example_is_a_valid_configuration():
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)

    loaded = assemble(example, ROOT / "arkway.toml", {})

    assert tomllib.loads(example)["server"]["port"] == 8080
    assert loaded.problems == ()
