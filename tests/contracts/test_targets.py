"""The classes that Hydra instantiates: each is listed, so that a list of allowed targets can be given to Hydra."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGET = re.compile(r"_target_:\s*([\w.]+)")


def test_security_lists_every_target_of_the_configs():
    targets = {name for path in (ROOT / "configs").rglob("*.yaml") for name in TARGET.findall(path.read_text())}
    section = (ROOT / "SECURITY.md").read_text().partition("## What Hydra instantiates")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`((?:nst_tf|hydra_plugins|optuna)\.[\w.]+)`", section))
    assert listed == targets
    assert len(targets) >= 5


def test_only_hydra_s_own_groups_have_targets():
    files = {
        path.relative_to(ROOT / "configs")
        for path in (ROOT / "configs").rglob("*.yaml")
        if "_target_" in path.read_text()
    }
    assert {path.parts[0] for path in files} <= {"hydra", "config.yaml", "distill.yaml"}
