"""The groups of configs, as ``--help`` and TAB completion show them."""

from omegaconf import OmegaConf

from nst_tf.config.composing import configs_folder

INTERNAL = ("hydra",)
"""Folders of configs that belong to Hydra itself."""


def config_groups() -> dict[str, list[str]]:
    """Return the options of each group, as the folders of YAML files have them, without the schemas."""
    folders = sorted(path for path in configs_folder().iterdir() if path.is_dir() and path.name not in INTERNAL)
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}


def describe_config_groups() -> str:
    """Return one line for each group with its options."""
    return "\n".join(f"{group}: {', '.join(options)}" for group, options in config_groups().items())


def register_help() -> None:
    """Let the template of ``--help`` list the groups: Hydra's own list contains the schemas."""
    OmegaConf.register_new_resolver("config_groups", describe_config_groups, replace=True)
