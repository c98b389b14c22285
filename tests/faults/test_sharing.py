"""Processes that share one outputs folder, one cache of weights and one report."""

import collections
import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst_tf.runs.folder import RunFolder
from tests.faults.conftest import assert_files_are_whole, share_of
from tests.file_server import serving

PROCESSES = 8

ROOT = Path(__file__).parents[2]

FETCH = """
from nst_tf.backbones.download import Pretrained, fetch
import hashlib, sys
path = fetch(Pretrained(file="shared.h5", url=sys.argv[1], checksum="sha256:" + sys.argv[2]))
print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def share_a_sweep(command_line, processes, runs):
    """Start the same sweep in several processes at once; check that they have divided its runs among them."""
    weights = ",".join(str(weight) for weight in range(1, runs + 1))
    quiet = ["steps=2", "tracking=quiet", "runtime.threads=1"]
    command = [*quiet, f"losses.style.weight={weights}", "hydra.sweep.dir=shared", "-m"]
    started = [command_line.start(*command) for _ in range(processes)]
    ends = [(*process.communicate(timeout=1200), process.returncode) for process in started]
    assert [code for *_, code in ends] == [0] * processes, ends
    out, error = ("".join(texts) for texts in list(zip(*ends, strict=True))[:2])
    assert not [line for line in error.splitlines() if line.startswith(("warning", "error", "Traceback"))], error

    counts = collections.Counter(line.partition(":")[0] for line in out.splitlines())
    assert counts["claimed"] + out.count("already done") == (processes - 1) * runs
    assert out.count("completed: 2 steps\n") == runs  # each run is computed once

    shared = command_line.folder / "shared"
    folders = [path.parent for path in shared.glob("*/run.json")]
    records = [RunFolder(folder).read_record() for folder in folders]
    assert len({record["fingerprint"] for record in records}) == runs
    assert {record["status"] for record in records} == {"completed"}
    for folder in folders:
        assert_files_are_whole(folder)
        number = int(folder.name.partition("_")[0])
        assert f"losses.style.weight={number + 1}" in RunFolder(folder).read_overrides()
    with (shared / "report" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["status"]) for row in rows] == [(str(n), "completed") for n in range(runs)]
    assert not list(shared.rglob(".*.partial"))


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_eight_processes_divide_sixty_four_runs_and_write_one_report(command_line):
    share_a_sweep(command_line, PROCESSES, share_of(64, least=PROCESSES))


@pytest.mark.slow
def test_two_processes_divide_the_runs_of_a_sweep(command_line):
    share_a_sweep(command_line, 2, 4)


@pytest.mark.faults
def test_eight_processes_download_a_file_once_into_one_cache(tmp_path):
    content = os.urandom(2**20)
    with serving({"/shared.h5": content}) as server:
        url = f"{server.address}/shared.h5"
        sha256 = hashlib.sha256(content).hexdigest()
        command = [sys.executable, "-c", FETCH, url, sha256]
        environment = os.environ | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
        started = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(PROCESSES)
        ]
        ends = [process.communicate(timeout=120) for process in started]
    assert [out.strip() for out, _ in ends] == [sha256] * PROCESSES, ends
    assert server.seen == ["/shared.h5"]
    assert (tmp_path / "models" / "shared.h5").read_bytes() == content
