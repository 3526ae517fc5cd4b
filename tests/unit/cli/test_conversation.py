import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkway.cli import conversation as kept
from arkway.cli.conversation import Conversation
from arkway.cli.output import Failure

texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=30)  # each writes a file
@given(texts, st.lists(st.fixed_dictionaries({"role": texts, "content": texts})))
def test_what_was_said_is_remembered(tmp_path_factory, model, messages):
    path = tmp_path_factory.mktemp("chat") / "c.json"
    conversation = Conversation(model=model, messages=messages)

    kept.save(path, conversation)

    assert kept.load(path) == conversation


def test_a_conversation_has_an_id_of_its_own():
    ids = {Conversation(model="m").id for _ in range(10)}

    assert len(ids) == 10
    assert all(uuid.UUID(each) for each in ids)


def test_only_its_owner_reads_it(tmp_path):
    kept.save(tmp_path / "c.json", Conversation(model="m"))

    assert (tmp_path / "c.json").stat().st_mode & 0o777 == 0o600


def test_nothing_said_is_none(tmp_path):
    assert kept.load(tmp_path / "c.json") is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"model": 1, "id": "i", "messages": []}', '"x"', "\udcff"],
)
def test_another_file_is_no_conversation(tmp_path, content):
    path = tmp_path / "c.json"
    path.write_bytes(content.encode(errors="surrogateescape"))

    with pytest.raises(Failure, match="--new begins another"):
        kept.load(path)


def test_a_failed_save_leaves_the_old_one_and_no_other(tmp_path):
    path = tmp_path / "c.json"
    kept.save(path, Conversation(model="m", id="i"))

    with pytest.raises(TypeError):
        kept.save(path, Conversation(model="m", messages=[{"role": object()}]))

    assert kept.load(path).id == "i"
    assert [p.name for p in tmp_path.iterdir()] == ["c.json"]
