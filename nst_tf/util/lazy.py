"""TensorFlow, Keras and smaller libraries, imported when they are first used.

Importing TensorFlow takes seconds, and each of the others 20 to 50 ms. Composing a config, refusing a command and
reading run folders do not need them.
Modules therefore write ``from nst_tf.util.lazy import keras, tf``, so that their settings can be imported alone.

``lazy_loader`` and ``importlib.util.LazyLoader`` do not work here. They put an unfinished module into
``sys.modules``, and Keras, which imports itself while it loads, then lacks its submodules.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nst_tf.util.quiet_import import import_quietly


class LazyModule:
    """A stand-in for a module, which is imported when an attribute is first read.

    Args:
        name: Full name of the module.
        load: Function that imports the module of that name.
    """

    def __init__(self, name: str, load: Callable[[str], ModuleType] = importlib.import_module) -> None:
        self._name, self._load = name, load

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._load(self._name), attribute)
        setattr(self, attribute, value)
        return value

    def __repr__(self) -> str:
        return f"LazyModule({self._name!r})"


if TYPE_CHECKING:
    import tarfile

    import filelock
    import h5py
    import keras
    import tensorflow as tf
else:
    keras, tf = LazyModule("keras", import_quietly), LazyModule("tensorflow", import_quietly)
    filelock, h5py, tarfile = LazyModule("filelock"), LazyModule("h5py"), LazyModule("tarfile")

__all__ = ["LazyModule", "filelock", "h5py", "keras", "tarfile", "tf"]
