"""Hands that paint the style pictures: one module a picture, with the techniques they share."""
