from arkway.simulate.ark.cache import PromptCache
from arkway.simulate.ark.settings import Cache

A, B, C, D = b"a", b"ab", b"abc", b"d"


def cache(**settings):
    return PromptCache(Cache(**{"block_tokens": 512, "min_tokens": 1_024, **settings}))


def test_only_what_was_kept_is_found():
    it = cache()
    assert it.find([A, B], 0.0) == 0

    it.keep([A, B], 1.0)

    assert it.find([A, B, C], 2.0) == 1_024
    assert it.find([A, B], 2.0) == 1_024
    assert it.find([D, B], 2.0) == 0


def test_a_short_hit_does_not_count():
    it = cache()
    it.keep([A], 0.0)

    assert it.find([A, B], 0.0) == 0


def test_blocks_live_while_they_are_used():
    it = cache(idle_ttl_s=10)
    it.keep([A, B, C], 0.0)
    assert it.find([A, B], 9.0) == 1_024

    assert it.find([A, B, C], 18.0) == 1_024, "the third block was idle for 18 s"
    assert it.find([A, B, C], 28.5) == 0
    assert len(it) == 0


def test_a_full_cache_drops_what_was_used_longest_ago_and_ends_before_beginnings():
    it = cache(capacity_tokens=3 * 512)
    it.keep([A, B, C], 0.0)
    it.keep([D], 1.0)

    assert len(it) == 3
    assert it.find([A, B, C], 2.0) == 1_024


def test_clear():
    it = cache()
    it.keep([A, B], 0.0)
    it.clear()

    assert it.find([A, B], 0.0) == 0
