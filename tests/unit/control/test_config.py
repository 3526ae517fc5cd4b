import msgspec
import pytest

from arkway.control.config import BUILTIN_MODELS, Config
from arkway.control.settings import SCALARS, SECTIONS
from arkway.store.entries import Account, Key, Model
from arkway.store.schema import fields_of

EVERY_FIELD = [
    *SCALARS,
    *(field for kind in (Account, Key, Model) for field in fields_of(kind).values()),
]


@pytest.mark.parametrize("setting", SCALARS, ids=lambda s: s.dotted)
def test_every_default_keeps_its_own_rule(setting):
    assert setting.check(setting.default) == setting.default


@pytest.mark.parametrize("setting", EVERY_FIELD, ids=lambda s: s.dotted)
def test_every_field_says_what_it_is_and_why(setting):
    assert setting.description.endswith(".")
    assert setting.reason
    assert not setting.reason.endswith(".")  # a clause: docs/config.md ends it


@pytest.mark.parametrize("setting", SCALARS, ids=lambda s: s.dotted)
def test_every_number_has_two_bounds(setting):
    if isinstance(setting.default, int | float) and not isinstance(setting.default, bool):
        assert " to " in setting.rule


def test_every_section_of_the_config_is_a_section_of_the_file():
    fields = {field.name for field in msgspec.structs.fields(Config)}

    assert fields == set(SECTIONS)


def test_the_built_in_models_are_those_of_the_contract():
    table = {
        m.name: (m.upstream_model, m.context_tokens, m.max_output_tokens) for m in BUILTIN_MODELS
    }

    assert table == {
        "Doubao-1.5-pro-32k": ("doubao-1-5-pro-32k-250115", 32_768, 12_288),
        "Doubao-1.5-pro-256k": ("doubao-1-5-pro-256k-250115", 262_144, 12_288),
        "Doubao-1.5-lite-32k": ("doubao-1-5-lite-32k-250115", 32_768, 12_288),
        "Doubao-pro-32k": ("doubao-pro-32k-241215", 32_768, 4_096),
    }
