import msgspec
import pytest

from arkway.simulate.ark.prompt import BadDirective, Body, blocks_of, texts_of, tokens_of, wish_of
from arkway.simulate.ark.settings import Tokenizer

TOKENIZER = Tokenizer()


def body(*messages, **more):
    raw = {"messages": [{"role": role, "content": content} for role, content in messages], **more}
    return msgspec.convert(raw, Body)


def blocks(it, size=2, tokenizer=TOKENIZER, seed="model"):
    return blocks_of(it, texts_of(it), seed, size, tokenizer)


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("", 0),
        ("abcd", 1),
        ("abcde", 2),
        ("天空", 2),  # six bytes
        (None, 0),
        ([{"type": "text", "text": "abcd"}, {"type": "text", "text": "e"}], 2),
        ([{"type": "image_url", "image_url": {"url": "x"}}], 11),  # 44 bytes of JSON
    ],
)
def test_tokens_of_a_message(content, tokens):
    assert tokens_of(texts_of(body(("user", content))), TOKENIZER) == tokens


def test_each_message_is_rounded_up_by_itself():
    assert tokens_of(texts_of(body(("system", "abcde"), ("user", "a"))), TOKENIZER) == 3


def test_tools_and_tool_calls_count_as_their_json():
    tools = body(("user", "abcd"), tools=[{"a": 1}])
    calls = msgspec.convert(
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"a": 1}]}]}, Body
    )

    assert texts_of(tools) == [b'[{"a":1}]', b"abcd"]
    assert texts_of(calls) == [b'[{"a":1}]']


def test_the_width_of_a_token_and_what_a_message_adds():
    it = texts_of(body(("system", "abcdefgh"), ("user", "a")))

    assert tokens_of(it, Tokenizer(bytes_per_token=8, tokens_per_message=3)) == 2 + 6


def test_equal_beginnings_have_equal_blocks():
    one = blocks(body(("system", "aaaabbbb"), ("user", "ccccdddd")))
    other = blocks(body(("system", "aaaabbbb"), ("user", "ccccdddX")))

    assert len(one) == len(other) == 2
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_a_block_depends_on_all_that_is_before_it():
    assert (
        blocks(body(("user", "aaaabbbbccccdddd")))[1]
        != blocks(body(("user", "XaaabbbbccccddddX")))[1]
    )


def test_only_full_blocks_have_a_name():
    assert len(blocks(body(("user", "aaaabbbbcccc")))) == 1
    assert blocks(body(("user", "aaaa"))) == []


def test_role_and_border_of_messages_are_part_of_it():
    whole = blocks(body(("user", "aaaabbbb")))[0]

    assert blocks(body(("assistant", "aaaabbbb")))[0] != whole
    assert blocks(body(("user", "aaaa"), ("user", "bbbb")))[0] != whole
    assert blocks(body(("user", "aaaabbbb")), seed="other model")[0] != whole


def test_another_turn_keeps_the_blocks_of_the_one_before():
    first = body(("system", "s" * 40), ("user", "u" * 24))
    second = body(
        ("system", "s" * 40), ("user", "u" * 24), ("assistant", "000 001 "), ("user", "x" * 8)
    )

    assert blocks(second)[: len(blocks(first))] == blocks(first)
    assert len(blocks(second)) == 10


def test_what_a_message_adds_is_in_the_blocks_too():
    it, tokenizer = body(("user", "aaaa")), Tokenizer(tokens_per_message=3)

    assert len(blocks(it, 2, tokenizer)) == 2


def test_a_directive():
    wish = wish_of(b"hello [[sim tokens=5 echo=a-1 first_token_s=0.5 finish=length]] bye")

    assert (wish.tokens, wish.echo, wish.first_token_s, wish.finish) == (5, "a-1", 0.5, "length")
    assert wish.fault is None


def test_a_directive_with_a_fault():
    wish = wish_of(b"[[sim fault=stall after_tokens=2 for_s=1.5 tokens=9]]")

    assert (wish.fault.kind, wish.fault.after_tokens, wish.fault.for_s) == ("stall", 2, 1.5)
    assert wish.tokens == 9


@pytest.mark.parametrize(
    "text",
    [
        b"[[sim]]",
        b"[[sim tokens]]",
        b"[[sim tokens=0]]",
        b"[[sim tokens=many]]",
        b"[[sim fault=nonsense]]",
        b"[[sim after_tokens=2]]",
        b'[[sim echo=a"b]]',
        b"[[sim finish=never]]",
    ],
)
def test_a_directive_that_cannot_be(text):
    with pytest.raises(BadDirective):
        wish_of(text)


def test_no_directive():
    assert wish_of(b"[sim] [[simple]]".replace(b"[[sim", b"[[ sim")).tokens is None
