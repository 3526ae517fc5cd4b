import pytest

from support.ledger_lab import LedgerLab


@pytest.fixture
def lab(tmp_path):
    lab = LedgerLab(tmp_path)
    yield lab
    if lab.book is not None:
        lab.close()
