"""A network of ``keras.applications`` by its name, so that a backbone can be described without importing Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nst_tf.util.lazy import keras


@dataclass(frozen=True)
class KerasApplication:
    """A function of ``keras.applications``, looked up when it is called.

    Attributes:
        name: The function's name: ``VGG19``.
        include_preprocessing: The argument of that name, for the networks that have one; None passes nothing.
    """

    name: str
    include_preprocessing: bool | None = None

    def __call__(self, **arguments: Any) -> Any:
        """Build the network with Keras's own arguments: ``weights``, ``include_top``, ``input_shape``."""
        if self.include_preprocessing is not None:
            arguments["include_preprocessing"] = self.include_preprocessing
        return getattr(keras.applications, self.name)(**arguments)
