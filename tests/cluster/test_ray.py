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
    return {"HOME": str(tmp_path), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@pytest.fixture
def cluster(environment, tmp_path, tools):
    """Address of a head and a second node, a worker each."""
    _, wait_until, free_port = tools
    address = f"127.0.0.1:{free_port()}"
    place = Path("/tmp") / f"ray-{os.getpid()}"  # sockets' paths have to be short
    command, settings = [sys.executable, "-m", "ray.scripts.scripts"], os.environ | environment
    nodes = []

    def start(*words):
        limits = ["--num-cpus=1", "--object-store-memory=78643200", "--disable-usage-stats", "--block"]
        with (tmp_path / f"node-{len(nodes)}.out").open("w") as out:
            node = [*command, "start", *words, *limits]
            nodes.append(subprocess.Popen(node, stdout=out, stderr=out, env=settings, cwd="/", start_new_session=True))

    def status(workers):
        asked = [*command, "status", f"--address={address}"]
        result = subprocess.run(asked, env=settings, capture_output=True, text=True)
        assert all(node.poll() is None for node in nodes), result.stderr
        return result.stdout if f"0.0/{workers}.0 CPU" in result.stdout else ""

    try:
        port = address.partition(":")[2]
        start("--head", "--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={place}")
        wait_until(lambda: status(1), seconds=120)
        start(f"--address={address}")
        print(wait_until(lambda: status(2), seconds=120))
        yield address
    finally:
        for node in reversed(nodes):  # these, and no other Ray that may be here
            node.terminate()
            node.wait(timeout=60)
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
    done = sweep("launcher=ray")
    assert done.returncode == 0
    for noise in ("Usage stats collection is enabled", "oneDNN", "FutureWarning"):
        assert noise not in done.stdout + done.stderr
    assert len({record["process"] for record in sweep.assert_complete()}) == 2
