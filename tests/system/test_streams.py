"""Output that nobody reads, or that an encoding lacks, is no error."""

import io
import os
import subprocess
import sys

import pytest

from nst_tf.system.streams import make_output_robust

PROGRAM = """
import sys
from nst_tf.system.streams import make_output_robust
make_output_robust()
for number in range(2000):
    print("line", number, "é\\udce9")
print("end", file=sys.stderr)
"""


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_program_goes_on_after_its_reader_has_gone(environment):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=os.environ | environment, **pipes) as process:
        assert process.stdout.readline().startswith(b"line 0 ")
        process.stdout.close()
        assert process.stderr.read() == b"end\n"
        assert process.wait(timeout=20) == 0


def test_characters_that_the_encoding_lacks_are_escaped():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, env=environment, check=True)
    assert result.stdout.splitlines()[1] == rb"line 1 \xe9\udce9"


def test_streams_of_tests_and_notebooks_stay(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    make_output_robust()
    assert sys.stdout is stream
