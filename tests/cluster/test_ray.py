"""`launcher=ray` on a real cluster of two nodes with one worker each, and in one that the sweep starts for itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def environment(tmp_path):
    """Ray's tokens and temporary files stay in the test's folder."""
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="needs the extra `ray`: pip install 'nst-tf[ray]'")
    return {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@pytest.fixture
def cluster(environment, tmp_path, tools):
    """Address of a head and a second node, a worker each."""
    address = f"127.0.0.1:{tools[2]()}"
    place = Path("/tmp") / f"ray-{os.getpid()}"  # sockets' paths have to be short

    def ray(*words):
        command = [sys.executable, "-m", "ray.scripts.scripts", *words]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    limits = ["--num-cpus=1", "--object-store-memory=78643200", "--disable-usage-stats"]
    port = address.partition(":")[2]
    ray("start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={place}", *limits)
    try:
        ray("start", f"--address={address}", *limits)
        status = ray("status", f"--address={address}")
        print(status)
        assert "0.0/2.0 CPU" in status
        yield address
    finally:
        ray("stop", "--force")
        shutil.rmtree(place, ignore_errors=True)


def test_a_sweep_on_a_cluster_that_is_there(cluster, environment, tmp_path, tools):
    sweep = tools[0](tmp_path, environment)
    init = "hydra.launcher.ray.init"
    there = [f"{init}.address={cluster}", f"{init}.num_cpus=null", f"{init}.object_store_memory=null"]
    done = sweep("launcher=ray", *there)
    assert done.returncode == 0
    records = sweep.assert_complete()
    assert len({record["process"] for record in records}) == 2  # two workers, which went from run to run

    assert sweep("launcher=ray", *there).returncode == 0
    assert sweep.records() == records  # nothing finished is repeated


def test_a_sweep_that_starts_ray_for_itself(environment, tmp_path, tools):
    sweep = tools[0](tmp_path, environment)
    assert sweep("launcher=ray").returncode == 0
    assert len({record["process"] for record in sweep.assert_complete()}) == 2
