"""The pictures of the StyleID benchmark, from an invented folder of empty files with its names."""

import pytest

from nst_tf.config.composing import typed_overrides
from nst_tf.config.pairs import expand_pictures
from nst_tf.config.styleid import DEFAULT_PATH
from nst_tf.util.errors import InputError
from nst_tf.util.paths import command_folder

COUNTS = {"cnt": 20, "sty": 40}


@pytest.fixture
def benchmark(tmp_path):
    """Folder of the command, with a benchmark of 20 photographs and 40 paintings in the default place."""
    for folder, count in COUNTS.items():
        (tmp_path / DEFAULT_PATH / folder).mkdir(parents=True)
        for number in range(count):
            (tmp_path / DEFAULT_PATH / folder / f"{number:02}.png").touch()
        (tmp_path / DEFAULT_PATH / folder / "notes.txt").touch()
    with command_folder(tmp_path):
        yield tmp_path


def expand(*typed):
    return expand_pictures(typed_overrides(typed)).arguments


def names(folder, count, path=DEFAULT_PATH):
    return ",".join(f"{path}/{folder}/{number:02}.png" for number in range(count))


@pytest.mark.parametrize(("sweep", "contents", "styles"), [("styleid", 20, 40), ("styleid_small", 5, 8)])
def test_a_sweep_combines_the_first_pictures_by_name(benchmark, sweep, contents, styles):
    assert expand(f"sweep={sweep}", "steps=3") == [
        f"sweep={sweep}",
        "steps=3",
        f"content={names('cnt', contents)}",
        f"style={names('sty', styles)}",
    ]


def test_path_and_numbers_are_options_that_hydra_does_not_see(benchmark):
    (benchmark / DEFAULT_PATH).rename(benchmark / "my, pictures")
    typed = ["sweep=styleid_small", "styleid.path=my, pictures", "styleid.contents=1", "styleid.styles=2"]
    assert expand(*typed) == [
        "sweep=styleid_small",
        "content='my, pictures/cnt/00.png'",
        "style='my, pictures/sty/00.png','my, pictures/sty/01.png'",
    ]
    assert expand("--cfg=job", *typed) == ["--cfg=job", "sweep=styleid_small"]


def test_named_pictures_take_the_place_of_the_benchmarks(benchmark):
    run = ["sweep=styleid", "content=a.jpg", "style=b.jpg", "hydra.mode=RUN"]
    assert expand(*run) == run
    assert expand("sweep=styleid_small", "content=a.jpg")[1:] == ["content=a.jpg", f"style={names('sty', 8)}"]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            ["sweep=styleid", "styleid.path=else"],
            "styleid.path=else: there is no folder 'else/cnt'. Clone https://github.com/jiwoogit/StyleID and give its "
            "folder data",
        ),
        (
            ["sweep=styleid_small", "styleid.styles=41"],
            "styleid.path=StyleID/data: 'StyleID/data/sty' has 40 pictures, and styleid.styles=41 are combined. Give "
            "the complete folder, or a smaller number",
        ),
        (["sweep=styleid", "styleid.contents=0"], "styleid.contents=0: must be a whole number of at least 1"),
        (["sweep=styleid", "styleid.contents=2.5"], "styleid.contents=2.5: must be a whole number of at least 1"),
        (
            ["sweep=styleid", "styleid.content=2"],
            "Unknown key 'styleid.content': available: styleid.path, styleid.contents, styleid.styles",
        ),
        (
            ["sweep=pooling", "styleid.path=a"],
            "styleid.path=a: belongs to sweep=styleid or sweep=styleid_small. Type one of them, or leave it out",
        ),
    ],
)
def test_a_missing_folder_and_an_odd_option_are_refused_in_one_line(benchmark, typed, message):
    with pytest.raises(InputError) as error:
        expand(*typed)
    assert str(error.value) == message
