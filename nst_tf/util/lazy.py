"""TensorFlow and Keras, imported at their first use.

Importing TensorFlow takes seconds, and composing a config, refusing a command or reading run folders does not need it.
So modules write ``from nst_tf.util.lazy import keras, tf``, and settings can be imported without the machinery.
``lazy_loader`` and ``importlib.util.LazyLoader`` are not used: they put an unfinished module into ``sys.modules``, and
Keras, which imports itself while it loads, then finds itself without its submodules.
"""

import importlib
from typing import TYPE_CHECKING, Any


class LazyModule:
    """A stand-in for a module that imports it when the first attribute is read.

    Args:
        name: Full name of the module.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value

    def __repr__(self) -> str:
        return f"LazyModule({self._name!r})"


if TYPE_CHECKING:
    import keras
    import tensorflow as tf
else:
    keras, tf = LazyModule("keras"), LazyModule("tensorflow")

__all__ = ["LazyModule", "keras", "tf"]
