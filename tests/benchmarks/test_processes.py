"""Worker processes of the benchmark."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.processes import worker_process

PROGRAM = """
from benchmarks.processes import worker_process
if __name__ == "__main__":
    with worker_process() as call:
        print(call("os:getpid"), flush=True)
        call("time:sleep", 600)
"""


def test_a_worker_keeps_its_process_between_calls():
    with worker_process() as call:
        assert call("os:getpid") == call("os:getpid") != os.getpid()


def test_a_worker_ends_with_a_killed_benchmark(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    program = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    worker = int(program.stdout.readline())
    assert is_running(worker)
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    for _ in range(2000):
        if not is_running(worker):
            return
        time.sleep(0.01)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker outlived the benchmark by 20 seconds")


def is_running(process):
    """Return whether a process computes; one that has ended may stay as an entry that nobody has waited for."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
