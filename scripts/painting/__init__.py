"""The style pictures, one module for each, and the painting techniques that they share."""
