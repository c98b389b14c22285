"""Reference to a network of ``keras.applications`` by name, so that backbones are declared without importing Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nst_tf.util.lazy import keras


@dataclass(frozen=True)
class KerasApplication:
    """A function of ``keras.applications`` that is looked up when it is called.

    Attributes:
        name: Name of the function, such as ``VGG19``.
        include_preprocessing: Argument of that name, for the networks that accept it; None passes nothing.
    """

    name: str
    include_preprocessing: bool | None = None

    def __call__(self, **arguments: Any) -> Any:
        """Build the network with Keras's own arguments: ``weights``, ``include_top``, ``input_shape``."""
        if self.include_preprocessing is not None:
            arguments["include_preprocessing"] = self.include_preprocessing
        return getattr(keras.applications, self.name)(**arguments)
