"""Range checks whose messages name the config key."""

from nst_tf.util.errors import InputError

MIN_SIDE = 16
"""Smallest side of a picture in pixels; below it the deep layers of a network have no extent left."""


def image_error(key: str, value: object, remedy: str) -> InputError:
    """Return the error for a value of the group ``image`` that cannot be used.

    Args:
        key: Name of the field, without the group.
        value: The value received.
        remedy: The values that are allowed, or what to do instead.
    """
    return InputError(f"image.{key}={value!r}: {remedy}")


def require_side(key: str, value: int | str | None) -> None:
    """Reject a length below `MIN_SIDE` pixels; None and words pass."""
    if isinstance(value, int) and value < MIN_SIDE:
        raise image_error(key, value, f"must be at least {MIN_SIDE} pixels")
