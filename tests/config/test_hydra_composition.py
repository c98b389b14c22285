"""Hydra composes a command once, with the config, the error and the help that it would have without our changes."""

import copy
import pickle

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from nst_tf.config import hydra_composition
from nst_tf.config.composing import configs_folder, register_schemas
from nst_tf.config.hydra_composition import CachingConfigLoader

PICTURES = ["content=sample:coffee", "style=sample:night_swirls", "name=fixed"]

ACCEPTED = {
    "a run": PICTURES,
    "options and values": [*PICTURES, "optimizer=adam", "losses.style.weight=3", "+schema/loss@losses.more=moments"],
    "an experiment": [*PICTURES, "experiment=gatys2016", "hydra.job.chdir=false"],
    "a typed mode": [*PICTURES, "hydra.mode=RUN"],
    "a sweep": [*PICTURES, "sweep=pooling"],
}

REFUSED = {
    "unknown option": ["optimizer=adm"],
    "unknown key": ["optimizer.histry=3"],
    "wrong type": ["steps=abc"],
    "syntax": ["losses.content.layers=[conv"],
    "several values": ["steps=1,2"],
    "several values and an unknown key": ["steps=1,2", "optimizer.histry=3"],
}


@pytest.fixture
def hydra():
    """Hydra as `hydra.main` makes it."""
    register_schemas()
    GlobalHydra.instance().clear()
    yield Hydra.create_main_hydra2("nst_tf", create_config_search_path(str(configs_folder())))
    GlobalHydra.instance().clear()


def compose(hydra, typed):
    """Compose a command as `hydra.main` does: its mode, then its config in that mode."""
    typed = list(typed)
    mode = hydra.get_mode("config", typed)
    if mode is None:
        mode = RunMode.RUN
        typed.append("hydra.mode=RUN")
    return hydra.compose_config("config", typed, run_mode=mode)


@pytest.fixture
def compositions(monkeypatch):
    """The overrides of each composition that Hydra computes."""
    computed = []
    original = ConfigLoaderImpl._load_configuration_impl

    def compute(self, config_name, overrides, *arguments, **settings):
        computed.append(list(overrides))
        return original(self, config_name, overrides, *arguments, **settings)

    monkeypatch.setattr(ConfigLoaderImpl, "_load_configuration_impl", compute)
    return computed


def as_hydra_does(hydra, monkeypatch):
    """Return the same Hydra with its own loader and its own lists of choices."""
    plain = copy.copy(hydra)
    plain.config_loader = ConfigLoaderImpl(hydra.config_loader.config_search_path)
    monkeypatch.setattr("hydra._internal.defaults_list._create_interpolation_map", hydra_composition._interpolation_map)
    return plain


@pytest.mark.slow
@pytest.mark.parametrize("typed", ACCEPTED.values(), ids=ACCEPTED)
def test_the_config_of_one_composition_is_that_of_two(hydra, compositions, monkeypatch, typed):
    config = compose(hydra, typed)
    assert len(compositions) == 1
    expected = compose(as_hydra_does(hydra, monkeypatch), typed)
    assert len(compositions) == 3
    assert OmegaConf.to_container(config, resolve=False) == OmegaConf.to_container(expected, resolve=False)
    assert str(OmegaConf.get_type(config.backbone)) == str(OmegaConf.get_type(expected.backbone))


@pytest.mark.parametrize("typed", REFUSED.values(), ids=REFUSED)
def test_the_error_of_one_composition_is_that_of_two(hydra, compositions, monkeypatch, typed):
    with pytest.raises(HydraException) as caught:
        compose(hydra, typed)
    assert len(compositions) == 1
    with pytest.raises(HydraException) as expected:
        compose(as_hydra_does(hydra, monkeypatch), typed)
    assert (str(caught.value), type(caught.value)) == (str(expected.value), type(expected.value))
    assert str(caught.value.__cause__) == str(expected.value.__cause__)


def test_another_command_is_composed_anew(hydra, compositions):
    hydra.get_mode("config", PICTURES)
    assert hydra.compose_config("config", [*PICTURES, "steps=7"], run_mode=RunMode.RUN).steps == 7
    assert hydra.compose_config("config", PICTURES, run_mode=RunMode.RUN).steps == 200
    assert len(compositions) == 3


def user_hydra(folder, **files):
    """Return Hydra with a user's own folder of configs."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    GlobalHydra.instance().clear()
    return Hydra.create_main_hydra2("user", create_config_search_path(str(folder)))


def test_a_missing_option_is_refused_in_a_run_and_left_to_a_sweep(hydra, tmp_path):
    user = user_hydra(tmp_path, config="defaults: [{size: '???'}, _self_]\n", size__small="side: 32\n")
    with pytest.raises(HydraException, match="You must specify 'size'"):
        compose(user, [])
    user.get_mode("config", ["size=small,small"])
    swept = user.compose_config("config", ["size=small,small", "hydra.mode=MULTIRUN"], run_mode=RunMode.MULTIRUN)
    assert swept.hydra.mode is RunMode.MULTIRUN


def test_a_defaults_list_may_name_another_choice(hydra, tmp_path):
    config = "defaults: [{size: small}, {colour: '${size}'}, _self_]\n"
    files = {"size__small": "side: 32\n", "size__large": "side: 64\n"}
    colours = {"colour__small": "colour: grey\n", "colour__large": "colour: full\n"}
    user = user_hydra(tmp_path, config=config, **files, **colours)
    assert compose(user, []).colour.colour == "grey"
    assert compose(user, ["size=large"]).colour.colour == "full"


def test_the_options_of_a_group_are_those_of_hydra(hydra):
    plain = ConfigLoaderImpl(hydra.config_loader.config_search_path)
    assert isinstance(hydra.config_loader, CachingConfigLoader)
    for kind in (ObjectType.CONFIG, ObjectType.GROUP, None):
        for group in ("optimizer", "schema/loss", "hydra", ""):
            assert hydra.config_loader.get_group_options(group, kind) == plain.get_group_options(group, kind)


def test_a_schema_is_built_when_it_is_loaded():
    register_schemas()
    store = ConfigStore.instance()
    entry = store.repo["schema"]["optimizer"]["sgd.yaml"]
    entry.node = None
    loaded = store.load("schema/optimizer/sgd.yaml")
    assert OmegaConf.get_type(loaded.node).__name__ == "SGD"
    assert loaded.node is not entry.node
    loaded.node.momentum = 0.5
    assert store.load("schema/optimizer/sgd.yaml").node.momentum != 0.5


def test_the_store_of_schemas_can_be_pickled():
    register_schemas()
    entry = pickle.loads(pickle.dumps(ConfigStore.instance().repo["schema"]["loss"]["gram.yaml"]))
    assert OmegaConf.get_type(copy.copy(entry).node).__name__ == "GramLoss"
