"""Stylisation by a network that was trained for it: one forward pass, for any photograph and any painting."""

from nst_tf.feedforward.forward_pass import ForwardPass
from nst_tf.feedforward.magenta import Magenta
from nst_tf.feedforward.network import StyleNetwork

__all__ = ["ForwardPass", "Magenta", "StyleNetwork"]
