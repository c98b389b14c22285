"""Folders, patterns and lists of pictures become the values of a sweep."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from nst_tf.config.composing import typed_overrides
from nst_tf.config.overrides import folder_name, run_name
from nst_tf.config.pairs import expand_pictures, read_pairs
from nst_tf.util.errors import InputError
from nst_tf.util.paths import command_folder


@pytest.fixture
def folder(tmp_path):
    """Folder of the command, with photographs and paintings."""
    for name in ("photos/b.jpg", "photos/a (1).PNG", "photos/.hidden.jpg", "photos/notes.txt", "paintings/x, y.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "photos/album.jpg").mkdir()
    (tmp_path / "empty").mkdir()
    with command_folder(tmp_path):
        yield tmp_path


def expand(*typed):
    return expand_pictures(typed_overrides(typed))


def values(override):
    """Return the values that Hydra's sweeper gives to a key, each as a config holds it."""
    parser = OverridesParser.create()
    parsed = parser.parse_override(override)
    texts = parsed.sweep_string_iterator() if parsed.is_sweep_override() else [parsed.get_value_element_as_str()]
    return [parser.parse_override(f"key={text}").value() for text in texts]


def test_a_folder_stands_for_its_regular_pictures_sorted_by_name(folder):
    arguments = expand("content=photos/", "style=paintings", "-m").arguments
    assert values(arguments[0]) == ["photos/a (1).PNG", "photos/b.jpg"]
    assert values(arguments[1]) == ["paintings/x, y.jpg"]


def test_a_pattern_and_a_picture_beside_a_folder_are_expanded_in_place(folder):
    assert values(expand("content=photos/*.jpg", "-m").arguments[0]) == ["photos/b.jpg"]
    assert values(expand("content=**/*.jpg", "-m").arguments[0]) == ["paintings/x, y.jpg", "photos/b.jpg"]
    mixed = expand("content=paintings/,sample:coffee,photos/b.jpg", "-m").arguments[0]
    assert values(mixed) == ["paintings/x, y.jpg", "sample:coffee", "photos/b.jpg"]


def test_an_absolute_folder_gives_absolute_paths(folder):
    expanded = expand(f"content={folder}/photos", "-m").arguments[0]
    assert values(expanded) == [f"{folder}/photos/a (1).PNG", f"{folder}/photos/b.jpg"]


def test_a_command_with_a_folder_becomes_a_sweep_and_says_so(folder):
    expansion = expand("content=photos/", "style=paintings/", "steps=3")
    assert expansion.arguments[-1] == "-m"
    assert expansion.announcement == (
        "content=photos/ style=paintings/: this command is a sweep over 2 (content) × 1 (style) pictures, as with -m"
    )
    assert expand("content=photos/", "-m").announcement == ""
    assert expand("content=photos/", "sweep=pooling").arguments.count("-m") == 0


@pytest.mark.parametrize(
    "typed",
    [
        ("content=photos/b.jpg", "style=sample:night_swirls"),
        ("style=[photos/b.jpg,paintings/x.jpg]", "-m"),
        ("content=missing.jpg", "steps=1,2", "-m"),
        ("content=photos/", "--cfg=job"),
        ("--help", "content=photos/"),
        ("image.start=photos/",),
    ],
)
def test_other_command_lines_are_left_as_they_are(folder, typed):
    assert expand(*typed).arguments == typed_overrides(typed)


def test_a_list_zips_content_and_style_and_its_paths_start_from_its_folder(folder):
    (folder / "photos" / "pairs.csv").write_text("style,content\n../paintings/x.jpg,b.jpg\nsample:wedges,a.PNG\n")
    for name in ("paintings/x.jpg", "photos/a.PNG"):
        (folder / name).touch()
    content, style, sweeper, multirun = expand("pairs=photos/pairs.csv").arguments
    assert values(content) == ["photos/b.jpg", "photos/a.PNG"]
    assert values(style) == ["photos/../paintings/x.jpg", "sample:wedges"]
    assert (sweeper, multirun) == ("hydra/sweeper=pairs", "-m")


def test_a_list_in_yaml_has_two_forms(folder):
    rows = "- [photos/b.jpg, sample:wedges]\n- {style: sample:wedges, content: sample:cat}\n"
    (folder / "pairs.yaml").write_text(rows)
    assert read_pairs("pairs.yaml") == [("photos/b.jpg", "sample:wedges"), ("sample:cat", "sample:wedges")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has the header ''. It must be 'content,style'"),
        ("photo,painting\na,b\n", "has the header 'photo,painting'. It must be 'content,style'"),
        ("content,style\n", "has no pairs"),
        ("content,style\nsample:cat\n", "the entry ['sample:cat'] must be one content and one style"),
        ("content,style\nsample:cat,sample:wedges,3\n", "must be one content and one style"),
        ("content,style\nmissing.jpg,sample:wedges\n", "there is no file 'missing.jpg'"),
        ("content,style\n" + "sample:cat,sample:wedges\n" * 2, "names the pair sample:cat, sample:wedges twice"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_line(folder, text, error):
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(InputError) as raised:
        expand("pairs=pairs.csv")
    assert str(raised.value).startswith("pairs=pairs.csv: ")
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        (["content=empty/"], "content=empty/: the folder has no pictures"),
        (["style=photos/*.gif"], "style=photos/*.gif: no file matches it"),
        (["pairs=missing.csv"], "pairs=missing.csv: No such file or directory"),
        (["pairs=empty"], "pairs=empty: 'empty' is not a regular file"),
        (["pairs=pairs.csv", "content=a.jpg"], "Leave out content=a.jpg"),
        (["hydra.mode=RUN", "content=photos/"], "hydra.mode=RUN: content=photos/ stands for several runs"),
    ],
)
def test_what_is_no_set_of_pictures_is_refused_in_one_line(folder, typed, error):
    with pytest.raises(InputError) as raised:
        expand(*typed)
    assert error.replace("'empty'", f"'{folder}/empty'") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_folders_of_runs_are_named_after_what_varies():
    overrides = ["content='photos/a (1).PNG'", "style=sample\\:wedges", "steps=5", "losses.style.weight=10", "seed=1"]
    varied = ["content", "style", "losses.style.weight", "seed"]
    assert run_name(overrides, varied) == "a_(1),wedges,losses.style.weight=10,seed=1"
    assert run_name(overrides, ["seed"]) == "seed=1"
    assert run_name(["style=[a/x.jpg,b/y (2).jpg]"], ["style"]) == "x+y_(2)"
    long = ["content=" + "é" * 100 + ".jpg", "losses.style.weight=" + "1" * 200]
    name = run_name(long, ["content", "losses.style.weight"])
    assert name.startswith("é" * 16 + ",losses.style.weight=1")
    assert len(name.encode()) == 120
    assert folder_name(overrides) == "steps=5,losses.style.weight=10,seed=1"  # the name that earlier versions gave
