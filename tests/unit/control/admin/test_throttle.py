from arkway.control.admin.throttle import (
    ALL_FAILURES,
    FAILURES,
    MAX_ADDRESSES,
    WINDOW_S,
    LoginThrottle,
)


def failing(throttle, address, times, now_s=0.0):
    for _ in range(times):
        throttle.on_failure(address, now_s)


def test_an_address_waits_to_the_end_of_its_window():
    throttle = LoginThrottle()
    failing(throttle, "192.0.2.1", FAILURES)

    assert throttle.wait_s("192.0.2.1", 0.0) == WINDOW_S
    assert throttle.wait_s("192.0.2.1", 59.5) == 1
    assert throttle.wait_s("192.0.2.1", WINDOW_S) == 0
    assert throttle.wait_s("192.0.2.2", 0.0) == 0


def test_fewer_failures_and_a_success_cost_nothing():
    throttle = LoginThrottle()
    failing(throttle, "192.0.2.1", FAILURES - 1)
    assert throttle.wait_s("192.0.2.1", 0.0) == 0

    throttle.on_success("192.0.2.1")
    failing(throttle, "192.0.2.1", FAILURES - 1)
    assert throttle.wait_s("192.0.2.1", 0.0) == 0


def test_a_network_of_one_person_counts_as_one():
    throttle = LoginThrottle()
    for n in range(FAILURES):
        throttle.on_failure(f"2001:db8::{n}", 0.0)

    assert throttle.wait_s("2001:db8::ffff", 1.0) > 0
    assert throttle.wait_s("2001:db8:0:1::1", 1.0) == 0


def test_many_addresses_together_wait_too_and_memory_is_bounded():
    throttle = LoginThrottle()
    for n in range(MAX_ADDRESSES + 10):
        throttle.on_failure(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", n * 0.001)

    assert len(throttle) == MAX_ADDRESSES
    assert throttle.wait_s("192.0.2.1", 1.0) > 0
    assert ALL_FAILURES < MAX_ADDRESSES


def test_what_is_no_address_is_counted_all_the_same():
    throttle = LoginThrottle()
    failing(throttle, "testclient", FAILURES)

    assert throttle.wait_s("", 0.0) > 0
