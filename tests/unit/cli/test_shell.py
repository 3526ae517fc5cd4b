import shutil
import subprocess
import sys

import pytest

ASK = """
set -e
arkway() { "$PYTHON" -m arkway "$@"; }
eval "$(arkway completion bash)"
for line in "arkway " "arkway do" "arkway accounts dr" "arkway top --o"; do
  read -ra COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
  COMPREPLY=( $(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
      _ARKWAY_COMPLETE=complete_bash "$PYTHON" -m arkway) )
  echo "${COMPREPLY[*]}"
done
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(arkway, shell):
    status, out, _ = arkway("completion", shell)

    assert status == 0
    assert "_ARKWAY_COMPLETE" in out


def test_another_shell_is_refused_with_those_there_are(arkway):
    status, _, err = arkway("completion", "tcsh")

    assert status == 2
    assert "bash" in err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_and_flags():
    done = subprocess.run(
        ["bash", "-c", ASK], env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    commands, do, drain, flags = done.stdout.splitlines()
    assert {"serve", "doctor", "top", "accounts", "completion"} <= set(commands.split())
    assert set(do.split()) == {"doctor", "docs"}
    assert drain == "drain"
    assert set(flags.split()) == {"--once", "--ops-port"}
