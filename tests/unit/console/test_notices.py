from arkway.console.notices import GOOD_FOR_S, MOST, Notices


def test_a_notice_is_told_once_to_whom_it_is_for():
    notices = Notices()
    notices.keep("one", "first", "good", 9.0)
    notices.keep("one", "saved", "good", 10.0)

    assert notices.take("other", 10.0) is None
    assert notices.take("one", 10.5) == ("saved", "good")
    assert notices.take("one", 10.5) is None


def test_what_is_late_is_not_told():
    notices = Notices()
    notices.keep("one", "saved", "good", 10.0)

    assert notices.take("one", 10.1 + GOOD_FOR_S) is None


def test_the_oldest_give_way():
    notices = Notices()
    for at in range(MOST + 1):
        notices.keep(f"s{at}", "saved", "good", 10.0)

    assert notices.take("s0", 10.0) is None
    assert notices.take("s1", 10.0) is not None
