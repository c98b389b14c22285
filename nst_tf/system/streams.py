"""Standard output and standard error that accept every text, and that may be closed by their reader."""

import io
import os
import sys
from typing import Any


class _ClosableFile(io.FileIO):
    """An output file whose reader may go away, as that of ``nst-tf --help | head -1`` does."""

    def write(self, content: Any) -> int:
        """Write bytes. Once the reader is gone, this and all later output of the process is discarded."""
        try:
            return super().write(content) or 0
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(content).nbytes


def make_output_robust() -> None:
    """Replace standard output and standard error by streams that raise no error for a text or for a closed pipe.

    Characters that the stream's encoding lacks, such as those of a file name that is not UTF-8, are written as escapes.
    A run whose output nobody reads any more continues and saves its picture. Streams that are not those of the process,
    as in a test or a notebook, stay as they are.
    """
    sys.stdout, sys.stderr = _robust(sys.stdout), _robust(sys.stderr)


def _robust(stream: Any) -> Any:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO or raw.fileno() not in (1, 2):
        return stream
    stream.flush()
    file = _ClosableFile(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
