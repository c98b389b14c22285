"""A script in a forked process behaves as one that Python starts."""

import json
import signal

import pytest

from tests.forked_scripts import start_script

SCRIPT = """
import json, os, signal, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ["COLOUR"], __name__, sys.path[0]]))
print("é" * 100_000, file=sys.stderr)
if "wait" in sys.argv:
    signal.pause()
sys.exit(3)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "folder" / "script.py"
    path.parent.mkdir()
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture(params=["forked", "started"])
def start(request, forked_scripts, script, tmp_path):
    function = forked_scripts.start if request.param == "forked" else start_script
    return lambda *words: function(script, *words, folder=tmp_path, COLOUR="röd")


def test_words_folder_environment_outputs_and_exit_code_reach_it(start, script, tmp_path):
    process = start("a b", "ü")
    out, error = process.communicate(timeout=60)
    assert json.loads(out) == [[str(script), "a b", "ü"], str(tmp_path), "röd", "__main__", str(script.parent)]
    assert (process.returncode, error) == (3, "é" * 100_000 + "\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it(start, number):
    process = start("wait")
    assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.poll() == process.returncode == -number


def test_a_script_that_takes_too_long_is_killed(forked_scripts, script, tmp_path):
    process = forked_scripts.start(script, "wait", folder=tmp_path, COLOUR="red")
    with pytest.raises(TimeoutError, match=r"more than 0.5 s"):
        process.communicate(timeout=0.5)
    assert process.wait(60) == -signal.SIGKILL
