"""Stylisation by one forward pass of a network that was trained for any content and any style."""

from nst_tf.feedforward.forward_pass import ForwardPass, style_scale
from nst_tf.feedforward.magenta import Magenta
from nst_tf.feedforward.network import StyleNetwork

__all__ = ["ForwardPass", "Magenta", "StyleNetwork", "style_scale"]
