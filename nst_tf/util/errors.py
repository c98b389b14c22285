"""The errors whose message a user is meant to read."""


class InputError(ValueError):
    """An argument, setting or file cannot be used; the message is one line.

    The line names the key, the value received, what is allowed, and the remedy. The command line prints it as it is
    and exits with status 2: ``Unknown layer 'conv9_1' for vgg19; available: conv1_1, …``.
    """


def message_of(error: Exception) -> str:
    """Return the message of any error as one line; the name of its class if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


class RunKilled(Exception):  # noqa: N818 - the name of a status, raised by whoever started the process
    """The process of a run was killed, so that the run could not record its own end."""
