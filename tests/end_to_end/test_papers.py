"""Every system of the papers in one command, and the page of its runs in another: random filters, small pictures."""

from pathlib import Path

import pytest

from nst_tf.reports.systems import read_systems

SCRIPT = Path(__file__).parents[2] / "scripts" / "reproduction.py"
OVERRIDES = (
    *("sweep=papers", "content=sample:astronaut", "style=[sample:wedges,sample:river_dots,sample:night_swirls]"),
    *("backbone.weights=random", "evaluation.weights=embedded", "image.size=80", "steps=1", "hydra.sweep.dir=sweep"),
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_and_a_script_write_the_page_of_all_systems(command_line, forked_scripts, saved_model):
    command_line.small = []
    code, out, error = command_line(*OVERRIDES, f"feedforward.weights={saved_model}", seconds=600)
    systems = read_systems().systems
    assert (code, out.count("Judged by vgg19_lite, embedded")) == (0, len(systems)), error
    code, _, error = forked_scripts(SCRIPT, "sweep", "--output", "reproduction.md", folder=command_line.folder)
    assert (code, error) == (0, "")
    text = (command_line.folder / "reproduction.md").read_text(encoding="utf-8")
    assert "no run yet" not in text
    assert text.count("judged: content ") == len(systems)
    pictures = sorted(path.name for path in (command_line.folder / "gallery" / "reproduction").iterdir())
    assert [name.partition("-")[0] for name in pictures] == sorted(system.experiment for system in systems)
