import hashlib
import re

from arkway.control.config import Key
from arkway.control.keys import hash_of, new_key
from arkway.control.settings import ARRAY_FIELDS


def test_a_key_is_sk_and_48_letters_and_digits():
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(re.fullmatch(r"sk-[A-Za-z0-9]{48}", key) for key in keys)


def test_what_is_kept_is_the_sha256():
    assert hash_of("sk-1") == "sha256:" + hashlib.sha256(b"sk-1").hexdigest()


def test_the_hash_keeps_the_rule_of_the_configuration():
    (rule,) = (field for field in ARRAY_FIELDS["keys"] if field.key == "hash")

    assert rule.accepts(hash_of(new_key()))
    assert Key(name="k", hash=hash_of("x")).hash == hash_of("x")
