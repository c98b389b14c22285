"""A laboratory for optimisation-based neural style transfer.

The Python entry is ``from nst_tf import Config, stylize``. Both are imported when they are first used, so importing
the package loads neither TensorFlow nor Keras.
"""

from typing import TYPE_CHECKING, Any

from nst_tf._version import __version__

if TYPE_CHECKING:
    from nst_tf.api import Result, stylize
    from nst_tf.config.tree import Config

__all__ = ["Config", "Result", "__version__", "stylize"]


def __getattr__(name: str) -> Any:
    if name == "Config":
        from nst_tf.config.tree import Config

        return Config
    if name in ("Result", "stylize"):
        from nst_tf import api

        return getattr(api, name)
    raise AttributeError(f"module 'nst_tf' has no attribute {name!r}")
