"""Range checks whose message names the config key."""

from nst_tf.util.errors import InputError

MIN_SIDE = 16  # pixels; below it a network's deep layers have no extent left


def refuse(key: str, value: object, remedy: str) -> InputError:
    """Build the error for one key of the group ``image``.

    Args:
        key: field name, without the group.
        value: what was given.
        remedy: what is accepted.

    Returns:
        The error, to be raised.
    """
    return InputError(f"image.{key}={value!r}: {remedy}")


def require_side(key: str, value: int | None) -> None:
    """Refuse a length below ``MIN_SIDE`` pixels; None passes."""
    if value is not None and value < MIN_SIDE:
        raise refuse(key, value, f"must be at least {MIN_SIDE} pixels")
