import re
import string
import tomllib
from pathlib import Path

import pytest

import arkway.console.texts as module
import arkway.store as store_room
from arkway.console.pages import audit
from arkway.console.texts import LANGUAGES, Texts, catalogue, preferred
from arkway.control.config import Config

ROOM = Path(module.__file__).parent
USED = re.compile(r'\bt\(\s*f?"([a-z_]+\.[a-z0-9_]+)"')
TABLES_USED = re.compile(r'\bt\(\s*f"([a-z_]+)\.|\bword\("([a-z_]+)"')


def fields(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_every_text_is_there_in_both_languages_with_the_same_values():
    tables = tomllib.loads((ROOM / "texts.toml").read_text(encoding="utf-8"))
    for table, texts in tables.items():
        for name, both in texts.items():
            assert len(both) == len(LANGUAGES), f"{table}.{name}"
            assert all(text.strip() for text in both), f"{table}.{name}"
            assert fields(both[0]) == fields(both[1]), f"{table}.{name}"


def test_chinese_is_chinese():
    # Words that are the same in both: names, units, codes.
    same = {name for name, (en, zh) in catalogue().items() if not re.search(r"[\u4e00-\u9fff]", zh)}
    assert same == {"call.tokens", "play.bad"}


def test_every_text_that_the_code_names_is_in_the_catalogue_and_the_other_way():
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOM.rglob("*.py"))
    named = set(USED.findall(source))
    assert named - set(catalogue()) == set()
    by_table = {one or two for one, two in TABLES_USED.findall(source)}
    lookups = set(re.findall(r'"([a-z_]+\.[a-z0-9_]+)"', source))
    tables = {name.partition(".")[0] for name in set(catalogue()) - named - lookups}
    assert tables - by_table == set(), "texts that nothing shows"


def test_a_text_takes_values_as_they_are():
    t = Texts("en")
    assert t("keys.made", name="{x} <b>") == "The key {x} <b>"
    assert Texts("zh")("keys.made", name="a") == "密钥 a"
    with pytest.raises(KeyError):
        t("keys.no_such_text")


def test_a_word_of_the_api_that_is_not_known_is_shown_as_it_is():
    assert Texts("en").word("outcome", "caller_left") == "caller left"
    assert Texts("en").word("outcome", "something_new") == "something_new"


def test_every_noun_and_action_of_the_audit_log_has_a_name_and_each_filter_finds_some():
    store = Path(store_room.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in store.glob("*.py"))
    recorded = re.findall(r'\.record\(\s*"(\w+)", \("([\w ]+)"', source)
    actions, nouns = (set(each) for each in zip(*recorded, strict=True))
    assert len(recorded) > 10

    known = set(catalogue())
    assert {f"action.{each}" for each in actions} - known == set()
    assert {f"noun.{each}" for each in nouns} - known == set()
    assert set(audit.NOUNS) == nouns


def test_every_table_of_the_settings_says_what_it_is_for():
    assert {f"settings.{table}" for table in Config.__struct_fields__} - set(catalogue()) == set()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.2", "en"),
        ("fr, zh-TW;q=0.4", "zh"),
        ("*;q=0.1", "en"),
        ("zh;q=nonsense", "en"),
        ("x" * 10_000, "en"),
    ],
)
def test_the_browsers_language(header, language):
    assert preferred(header) == language
