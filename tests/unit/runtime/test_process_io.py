from arkway.runtime import process_io


def test_a_look_at_this_process(tmp_path):
    before = process_io.look(tmp_path)
    with (tmp_path / "file").open("w"):
        after = process_io.look(tmp_path)

    assert after.open_fds == before.open_fds + 1
    assert 1 << 20 < after.rss_bytes < 1 << 40
    assert after.cpu_s > 0
    assert after.max_fds >= after.open_fds
    assert after.disk_free_bytes > 0


def test_what_the_system_does_not_say_is_none(tmp_path):
    assert process_io.look(tmp_path / "nowhere").disk_free_bytes is None
