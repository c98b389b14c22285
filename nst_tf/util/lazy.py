"""TensorFlow and Keras, imported when they are first used.

Importing TensorFlow takes seconds. Composing a config, refusing a command and reading run folders do not need it.
Modules therefore write ``from nst_tf.util.lazy import keras, tf``, so that their settings can be imported alone.

``lazy_loader`` and ``importlib.util.LazyLoader`` do not work here. They put an unfinished module into
``sys.modules``, and Keras, which imports itself while it loads, then lacks its submodules.
"""

import importlib
from typing import TYPE_CHECKING, Any


class LazyModule:
    """A stand-in for a module, which is imported when an attribute is first read.

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
