"""Errors of a command, each printed as one line on stderr, and the exit codes."""

import errno
import logging
import sys
from collections.abc import Callable

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from nst_tf.cli.hydra_errors import is_cluster_error, one_line
from nst_tf.system.streams import make_output_robust
from nst_tf.util.errors import InputError, RunKilled

EXIT_CODES = {"failed": 1, "refused": 2, "interrupted": 130}
"""Exit codes by status: an error during a run, an unusable setting, a request to stop. Other statuses give 0."""

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a full or broken disk, which are no fault of the command."""

log = logging.getLogger(__name__)


class WorkerRunEnded(Exception):  # noqa: N818 - carries a status, which is no error of the launcher
    """The status of a run in a worker process, which Hydra's launchers pass on to the process of the command."""


def report_errors(work: Callable[[], str], place: str = "") -> str:
    """Do a piece of work and return its status; print an error as one line on stderr.

    Args:
        work: The work, which returns its own status.
        place: Prefix of the message, which names the run in a sweep; empty outside a sweep.

    Returns:
        The work's status; ``refused`` where a setting cannot be used; ``failed`` where the disk is full or broken, and
        in a sweep for any other error.

    Raises:
        Exception: Any other error outside a sweep. Its traceback shows the fault in the program.
    """
    make_output_robust()
    try:
        return work()
    except WorkerRunEnded as end:
        return str(end)  # the worker has printed its error
    except RunKilled as killed:
        return _failed("failed", str(killed))
    except (InputError, HydraException, OmegaConfBaseException) as error:
        return _failed("refused", f"{place}{one_line(error)}")
    except OSError as error:
        file = f" '{error.filename}'" if error.filename else ""
        status = "failed" if error.errno in DISK_ERRORS else "refused"
        return _failed(status, f"{place}Cannot use{file}: {error.strerror or error}")
    except Exception as error:
        if is_cluster_error(error):
            place = "a job of the cluster ended without a status; the same command continues the remaining runs: "
        elif not place:
            raise
        log.exception("%sfailed", place)
        return _failed("failed", f"{place}{type(error).__name__}: {one_line(error)}")


def _failed(status: str, message: str) -> str:
    """Print an error and return the status."""
    print(f"error: {message}", file=sys.stderr)
    return status


def exit_code(statuses: list[str]) -> int:
    """Return the largest exit code among several statuses; 0 if no status is in `EXIT_CODES`."""
    return max((EXIT_CODES.get(status, 0) for status in statuses), default=0)
