"""`launcher=slurm` on a real Slurm of one node, started here and ended here; as root, without systemd."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

CONF = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=here Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture
def slurm(tmp_path, needs, tools):
    """Environment of a running Slurm."""
    _, wait_until, free_port = tools
    needs(["slurmctld", "slurmd", "sbatch", "sinfo", "munged"], "apt-get install slurm-wlm munge")
    pytest.importorskip("submitit", reason="needs the extra `slurm`: pip install 'nst-tf[slurm]'")
    if os.geteuid() != 0:
        pytest.skip("needs root: Slurm's daemons run as the user whose jobs they start")
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    ports = {"controller": free_port(), "daemon": free_port()}
    (folder / "slurm.conf").write_text(CONF.format(host=host, folder=folder, **ports))
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    places = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed", "key-file": "key"}
    munge = [f"--{option}={folder}/munge.{end}" for option, end in places.items()]
    daemons = []

    def start(*command):
        with (folder / f"{command[0]}.out").open("w") as out:
            program = shutil.which(command[0])
            arguments = {"stdout": out, "stderr": out, "env": os.environ | environment, "start_new_session": True}
            daemons.append(subprocess.Popen([program, *command[1:]], **arguments))

    def idle():
        result = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=os.environ | environment, capture_output=True, text=True
        )
        return result.stdout.strip() == "idle"

    try:
        start("munged", "--foreground", "--force", *munge)
        wait_until((folder / "munge.socket").exists)
        start("slurmctld", "-D", "-c")
        start("slurmd", "-D", "-N", host)
        wait_until(idle)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=60)


def test_a_sweep_on_slurm(slurm, tmp_path, tools):
    sweep = tools[0](tmp_path, slurm)
    done = sweep("launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=10")
    assert done.returncode == 0
    records = sweep.assert_complete()
    jobs = list((tmp_path / "outputs" / "sweeps").glob("*/.submitit/*/*_result.pkl"))
    assert len(jobs) == len(records)  # each was a job of the array
    command = ["squeue", "--states=all", "--array", "--format=%i %T %N %M"]

    def ended():
        result = subprocess.run(command, env=os.environ | slurm, capture_output=True, text=True).stdout
        return result if result.count("COMPLETED") == len(records) else ""

    print("$", *command)
    print(tools[1](ended))  # as Slurm itself has it

    again = sweep("launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=10")
    assert again.returncode == 0
    assert sweep.records() == records  # nothing finished is repeated
