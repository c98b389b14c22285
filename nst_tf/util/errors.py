"""The one error a person is meant to read."""


class InputError(ValueError):
    """Something the caller gave cannot be used; the message is one line.

    The line names the value, the place it came from and the remedy, so that the command line can print it
    as it stands and exit with status 2: ``Unknown layer 'conv9_1' for vgg19; available: conv1_1, …``.
    """


class RunKilled(Exception):  # noqa: N818 - tells of a run that cannot tell itself
    """The process of a run was killed."""
