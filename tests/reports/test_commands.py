"""The printed commands: the shell and Hydra read the same overrides, in a checkout and in an installed package."""

import shlex

import pytest

from nst_tf.config.composing import compose_config, configs_folder
from nst_tf.config.settings import fingerprint
from nst_tf.reports import commands
from nst_tf.reports.commands import portable_overrides, program_words, rerun_command
from nst_tf.reports.reading import find_runs

SPECIAL_OVERRIDES = [
    "content=a photo: of \"it\" & 'that' # $HOME.jpg",
    r"style=sample\:night_swirls",
    "losses.style.layers=[conv1_1,conv2_1]",
    "+losses.grain={weight:1}",
    "- dash",
    "null",
    "image.start=<b>ü</b>",
]


def test_the_shell_splits_the_command_into_the_typed_overrides(made_up_run, tmp_path):
    made_up_run(tmp_path / "run", SPECIAL_OVERRIDES)
    (run,) = find_runs([tmp_path])
    assert run.overrides == SPECIAL_OVERRIDES
    assert shlex.split(rerun_command(run)) == ["python", "scripts/stylize.py", *SPECIAL_OVERRIDES]


def test_commands_of_a_sweep_add_the_run_number_to_the_name(made_up_sweep):
    runs = find_runs([made_up_sweep([["seed=0"], ["seed=1"]])])
    names = [shlex.split(rerun_command(run))[4] for run in runs]
    assert names == ["name=grid_0", "name=grid_1"]


def test_the_command_of_a_single_run_has_a_new_name(made_up_run, tmp_path):
    made_up_run(tmp_path / "lighthouse", ["name=lighthouse"])
    (run,) = find_runs([tmp_path])
    assert rerun_command(run) == "python scripts/stylize.py name=lighthouse_again"


def test_an_installed_package_without_scripts_prints_nst_tf_commands(made_up_run, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "SCRIPTS", tmp_path / "site-packages" / "scripts")
    made_up_run(tmp_path / "run", ["content=a photo.jpg", "name=lighthouse"])
    (run,) = find_runs([tmp_path])
    assert rerun_command(run) == "nst-tf 'content=a photo.jpg' name=lighthouse_again"
    assert program_words("compare") == ["nst-tf", "compare"]
    assert program_words("reproduction") == ["nst-tf", "reproduction"]


def test_a_checkout_prints_commands_with_its_scripts():
    for name in ("stylize", "compare", "evaluate", "reproduction", "distill"):
        assert program_words(name) == ["python", f"scripts/{name}.py"]
        assert (commands.SCRIPTS / f"{name}.py").is_file()


def test_a_run_started_from_python_has_no_command(made_up_run, tmp_path):
    made_up_run(tmp_path / "run", [])
    assert rerun_command(find_runs([tmp_path])[0]) is None


@pytest.mark.parametrize("sweep", ["content_style_ratio", "pooling"])
def test_the_command_of_a_run_in_a_named_sweep_composes_only_its_config(sweep, made_up_run, pictures, tmp_path):
    from hydra import compose, initialize_config_dir

    key = {"content_style_ratio": "losses.style.weight=100.0", "pooling": "backbone.pooling=average"}[sweep]
    overrides = [key, f"sweep={sweep}", f"content={pictures[0]}", f"style={pictures[1]}", "steps=3"]
    config = compose_config(*overrides)
    made_up_run(tmp_path / "3_run", overrides)
    words = shlex.split(rerun_command(find_runs([tmp_path])[0]))[2:]
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        hydra = compose("config", overrides=words, return_hydra_config=True).hydra
    assert hydra.mode.name == "RUN"
    assert fingerprint(compose_config(*words), []) == fingerprint(config, [])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("content=/home/ann/photo.jpg", "content=photo.jpg"),
        ("content=photo.jpg", "content=photo.jpg"),
        (r"content=/a\,b/of\ ann/it\'s.jpg", r"content=it\'s.jpg"),
        ("style=[/a/b.jpg,c/d.jpg,e.jpg]", "style=[b.jpg,d.jpg,e.jpg]"),
        ("style=['/a, [b]/c.jpg',\"d'/e.jpg\",f/g.jpg]", "style=['c.jpg',\"e.jpg\",g.jpg]"),
        (r"style=sample\:night_swirls", r"style=sample\:night_swirls"),
        ("feedforward.weights=/home/ann/magenta/", "feedforward.weights=magenta"),
        ("+schema/part@printed.x=printed", "+schema/part@printed.x=printed"),
        ("losses.style.layers=[conv1_1,conv2_1]", "losses.style.layers=[conv1_1,conv2_1]"),
    ],
)
def test_portable_overrides_have_file_names_in_place_of_paths(override, words, made_up_run, tmp_path):
    made_up_run(tmp_path / "run", [override, "name=lighthouse"])
    assert portable_overrides(find_runs([tmp_path])[0]) == [words]


def test_portable_overrides_compose_to_the_file_names(made_up_run, tmp_path):
    made_up_run(tmp_path / "run", ["content='/a, b/c d.jpg'", "style=[/a/b.jpg,'c/it is.jpg']", "sweep=pooling"])
    *words, mode = portable_overrides(find_runs([tmp_path])[0])
    assert mode == "hydra.mode=RUN"
    config = compose_config(*words)
    assert (config.content, config.style) == ("c d.jpg", ["b.jpg", "it is.jpg"])
