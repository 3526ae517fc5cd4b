import pytest

from support.admin_lab import AdminLab


@pytest.fixture
def lab(tmp_path):
    with AdminLab(tmp_path) as lab:
        yield lab
        assert "control_error" not in lab.logged.getvalue()
