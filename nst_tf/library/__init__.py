"""Stylisation by a network that was trained for it: one forward pass, for any photograph and any painting."""

from nst_tf.library.forward_pass import ForwardPass
from nst_tf.library.magenta import Magenta
from nst_tf.library.network import StyleNetwork

__all__ = ["ForwardPass", "Magenta", "StyleNetwork"]
