"""The Config tree: what one experiment is, what of it decides a picture, and how Hydra composes it."""

from nst_tf.config.composing import RERUN, composed, configs_folder, from_hydra, register, repeating
from nst_tf.config.settings import chosen, fingerprint, flat, read_pictures, to_yaml, without_effect
from nst_tf.config.tree import Config, Method

__all__ = [
    "RERUN",
    "Config",
    "Method",
    "chosen",
    "composed",
    "configs_folder",
    "fingerprint",
    "flat",
    "from_hydra",
    "read_pictures",
    "register",
    "repeating",
    "to_yaml",
    "without_effect",
]
