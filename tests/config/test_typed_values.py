"""Existing paths and new names reach the config as they were typed, whatever characters they have."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from nst_tf.config.composing import compose_config
from nst_tf.config.keys import role_of
from nst_tf.config.overrides import folder_name, quoted, sweep_name, unquoted
from nst_tf.config.typed_values import line_to_type, quote_typed_values, shell_word

NAMES = [
    *("photo.jpg", "photo (1).jpg", "Van Gogh's.jpg", "k=v.jpg", "a#1.jpg", "a, b.jpg", "a,b.jpg", "a b.jpg"),
    *("照片.jpg", "🌄.jpg", "é.jpg", "in${er}.jpg", "$HOME.jpg", "a${", "\\${x}.jpg", "a{b}.jpg", "[a].jpg"),
    *("a;b.jpg", "a&b.jpg", "a!b.jpg", 'say "hi".jpg', "'q'.jpg", "'q'", '"q"', "back\\slash.jpg", "a\\'b.jpg"),
    *("~tilde.jpg", "%41.jpg", "a*b.jpg", "a?b.jpg", "a:b.jpg", "a@b.jpg", "a|b.jpg", "a^b.jpg", "a<b>.jpg"),
    *("null", "1e3", "true", "007", "-x.jpg", "+x.jpg", "a`b.jpg", "a\tb.jpg", "a\nb.jpg", "end\\", " lead.jpg"),
    *("latin\udce9.jpg", "1_image.size=64,steps=4/stylized.png", "choice(a).jpg", "{peaks: 1}.png", "trail.jpg "),
]
"""Names of files that a user can have; the last part is as Python decodes bytes that are not UTF-8."""

PATH_KEYS = [
    *("content", "style", "image.start", "backbone.weights", "feedforward.weights", "teacher.weights"),
    *("evaluation.weights", "photographs", "paintings"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    for name in [*NAMES, "b.jpg"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def parse(override):
    """Parse an override as Hydra does."""
    return OverridesParser.create().parse_override(override)


def value_in_config(override):
    """Return the value that a config has after an override."""
    return OmegaConf.to_container(OmegaConf.create({"value": parse(override).value()}), resolve=True)["value"]


def quote(override, *others, groups=()):
    return quote_typed_values([override, *others], groups)[0]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", NAMES)
def test_an_existing_name_reaches_the_config_as_it_stands(name):
    assert value_in_config(quote(f"content={name}")) == name
    assert value_in_config(quote(f"+content={name}")) == name


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", [name for name in NAMES if name.strip() == name])
def test_an_existing_name_is_an_element_of_a_list_at_every_place(name):
    assert value_in_config(quote(f"style=[{name},b.jpg]")) == [name, "b.jpg"]
    assert value_in_config(quote(f"style=[b.jpg, {name}]")) == ["b.jpg", name]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_over_existing_names_has_each_as_it_stands(name):
    swept = parse(quote(f"content={name},b.jpg", "-m")).sweep_string_iterator()
    assert [value_in_config(f"content={text}") for text in swept] == [name, "b.jpg"]


@pytest.mark.parametrize("name", NAMES)
def test_quotes_are_removed_again(name):
    assert unquoted(quoted(name)) == name


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("key", PATH_KEYS)
def test_every_key_that_takes_a_path_takes_an_existing_one(key):
    assert role_of(key).takes == "path"
    assert quote(f"{key}=photo (1).jpg") == f"{key}='photo (1).jpg'"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "override",
    [
        *("content=photo.jpg", "content=sample:cat", "style=[sample:cat,b.jpg]", "style=[photo.jpg, b.jpg]"),
        *("content=b.jpg,photo.jpg", "content='photo (1).jpg'", "content=", "content=null2", "content=nowhere (1).jpg"),
        *("steps=(1", "losses.style.layers=[conv1_1,conv2_1]", "-m", "--cfg", "content", "~content", "name=lighthouse"),
        *("name='my run'", "name=${now:%H-%M}", "name=", "image=square", "rerun=k=v.jpg", "image.size=512"),
    ],
)
def test_every_other_value_is_left_to_the_grammar(override):
    assert quote(override, groups={"image"}) == override


def test_an_existing_name_with_a_comma_wins_over_a_sweep(here):
    (here / "a").touch()
    assert quote("content=a, b.jpg", "-m") == "content='a, b.jpg'"
    assert quote("content=b.jpg, photo.jpg", "-m") == "content=b.jpg, photo.jpg"
    (here / "a").unlink()


@pytest.mark.usefixtures("here")
def test_the_values_of_a_choice_are_quoted():
    assert quote("content=choice(photo (1).jpg,k=v.jpg)") == "content=choice('photo (1).jpg','k=v.jpg')"


def test_the_home_folder_is_recognised(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.h5").touch()
    assert quote("backbone.weights=~/x.h5") == "backbone.weights='~/x.h5'"
    assert quote("backbone.weights=~/y.h5") == "backbone.weights=~/y.h5"


@pytest.mark.parametrize("name", ["a (1)", "Van Gogh's", "k=v", "007 ", "1e3", "null", "a, b", "[x]", "é", "x${"])
def test_a_new_name_is_taken_as_it_stands(name):
    assert value_in_config(quote(f"name={name}")) == name


def test_a_sweep_of_names_stays_a_sweep():
    assert quote("name=a,b", "-m") == "name=a,b"
    assert quote("name=a,b", "sweep=pooling") == "name=a,b"
    assert quote("name=a,b") == "name='a,b'"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("image=512", "image='512'"),
        ("image=null", "image='null'"),
        ("image=1.5", "image='1.5'"),
        ("image=[512]", "image=['512']"),
        ("image@other=true", "image@other='true'"),
        ("image=square,3", "image=square,'3'"),
        ("image={size: 64}", "image={size: 64}"),
    ],
)
def test_a_number_is_no_option_of_a_group(typed, text):
    assert quote(typed, groups={"image"}) == text


REMEDIES = {
    "content=nowhere (1).jpg": "nowhere (1).jpg",
    "content=Van Gogh's $x.jpg": "Van Gogh's $x.jpg",
    "backbone.weights=~/nowhere.h5": "~/nowhere.h5",
    "style=[nö.jpg,(2).jpg]": ["nö.jpg", "(2).jpg"],
    "losses.style.layers=[conv1_1": ["conv1_1"],
    "steps=3)": "3)",
}


@pytest.mark.parametrize(("refused", "value"), REMEDIES.items(), ids=REMEDIES)
def test_the_line_to_type_is_one_word_of_a_shell_that_gives_the_value(refused, value):
    line = line_to_type(refused).partition(", type ")[2]
    (word,) = shlex.split(line)
    assert value_in_config(word) == value


def test_the_line_to_type_names_what_is_wrong_with_the_key(here):
    assert "'=': " not in line_to_type("content")
    assert "Type KEY=VALUE, such as steps=VALUE" in line_to_type("steps")
    assert line_to_type("größe=3").startswith("'größe' is no key")
    assert line_to_type("photo (1).jpg").endswith("such as 'content=photo (1).jpg'")
    assert line_to_type("k=v.jpg").endswith("such as content=k=v.jpg")
    assert Path("k=v.jpg").exists(), here


@pytest.mark.parametrize("text", ["plain", "a b", "it's", 'it\'s "it"', "$x's", "a`b's", "x!'s"])
def test_a_shell_word_is_read_back_by_a_shell(text):
    assert shlex.split(shell_word(text)) == [text]


@pytest.mark.usefixtures("here")
def test_a_composed_config_holds_what_was_typed():
    config = compose_config(
        "content=in${er}.jpg", "style=[Van Gogh's.jpg,a, b.jpg]", "image.start=1_image.size=64,steps=4/stylized.png"
    )
    assert config.content == "in${er}.jpg"
    assert config.style == ["Van Gogh's.jpg", "a, b.jpg"]
    assert config.image.start == "1_image.size=64,steps=4/stylized.png"


def test_names_of_folders_have_no_quotes_of_paths_and_no_interpolations():
    assert (
        folder_name(["image.start='sweeps/1_a=2,b/s (1).png'", "seed=1"])
        == "image.start=sweeps_1_a=2,b_s (1).png,seed=1"
    )
    assert folder_name([r"image.start='in\${er}.png'"]) == "image.start=in{er}.png"
    assert folder_name(["image.start='latin\udce9.png'"]) == "image.start=latin.png"
    assert folder_name(["losses.style.layers='x'"]) == "losses.style.layers='x'"
    assert sweep_name("t", "t", ["content='latin\udce9.png'"]).startswith("sweep-")
