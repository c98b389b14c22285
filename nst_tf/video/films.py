"""Writing of films: H.264 in MP4 for viewing, and lossless FFV1 in Matroska, with the sound of the source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.util.errors import InputError
from nst_tf.util.files import atomic_file
from nst_tf.video.clips import import_av, reason_of

COPIED_INTO_MP4 = ("aac", "ac3", "alac", "eac3", "mp3", "opus")
"""Codecs of sound that an MP4 holds as they are; others are encoded again as AAC."""

REPRODUCIBLE = {"fflags": "+bitexact"}
"""Options of a container without random identifiers, so that equal frames make equal files."""


@dataclass(frozen=True)
class FilmFormat:
    """A codec and its container.

    Attributes:
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        options: Options of the encoder.
        even: Whether both sides must be even; an odd side is continued by its last row or column.
        copies_any_sound: Whether the container holds sound of every codec.
    """

    container: str
    codec: str
    pixels: str
    options: tuple[tuple[str, str], ...]
    even: bool = False
    copies_any_sound: bool = False


FORMATS: dict[str, FilmFormat] = {
    ".mp4": FilmFormat("mp4", "libx264", "yuv420p", (("crf", "16"), ("preset", "medium")), even=True),
    ".mkv": FilmFormat("matroska", "ffv1", "bgr0", (("level", "3"),), copies_any_sound=True),
}
"""Formats by the suffix of the file. Every pixel of ``.mkv`` is exact."""


@dataclass(frozen=True)
class Sound:
    """A part of the sound of a film.

    Attributes:
        path: The film.
        start: Beginning in seconds.
        end: End in seconds.
    """

    path: Path
    start: Fraction
    end: Fraction


def write_film(path: Path, frames: Iterable[np.ndarray], rate: Fraction, sound: Sound | None = None) -> None:
    """Write a film as a whole or not at all.

    Args:
        path: Path with a suffix of `FORMATS`.
        frames: Frames ``(H, W, 3)`` uint8 of one size. One is in memory at a time.
        rate: Frames per second.
        sound: The sound; None for a silent film.

    Raises:
        InputError: PyAV is not installed, or the film cannot be encoded.
        OSError: The file cannot be written, as on a full disk.
    """
    av, kind = import_av(), FORMATS[path.suffix]
    with atomic_file(path) as file:
        try:
            with av.open(file, "w", format=kind.container, options=REPRODUCIBLE) as output:
                _encode(av, output, kind, frames, rate, sound)
        except av.FFmpegError as error:
            if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise InputError(f"'{path}' cannot be encoded: {reason_of(error)}") from error


def _encode(
    av: Any, output: Any, kind: FilmFormat, frames: Iterable[np.ndarray], rate: Fraction, sound: Sound | None
) -> None:
    stream = None
    with av.open(f"file:{sound.path}") if sound else _Nothing() as source:
        for pixels in frames:
            if stream is None:
                stream = _video_stream(output, kind, pixels, rate)
                audio = None if source is None else _audio_stream(output, kind, source)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(_even(pixels) if kind.even else pixels), "rgb24")
            output.mux(stream.encode(frame.reformat(format=kind.pixels)))
        if stream is None:
            raise InputError("a film needs at least one frame")
        output.mux(stream.encode(None))
        if sound and audio is not None:
            _mux_sound(output, source, audio, sound)


class _Nothing:
    """A context without a source of sound."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _video_stream(output: Any, kind: FilmFormat, pixels: np.ndarray, rate: Fraction) -> Any:
    height, width = (_even(pixels) if kind.even else pixels).shape[:2]
    stream = output.add_stream(kind.codec, rate=rate, options=dict(kind.options))
    stream.width, stream.height, stream.pix_fmt = width, height, kind.pixels
    return stream


def _even(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return np.pad(pixels, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")


def _audio_stream(output: Any, kind: FilmFormat, source: Any) -> Any:
    stream = source.streams.audio[0]
    if kind.copies_any_sound or stream.codec_context.name in COPIED_INTO_MP4:
        return output.add_stream_from_template(stream)
    return output.add_stream("aac", rate=stream.rate)


def _mux_sound(output: Any, source: Any, target: Any, sound: Sound) -> None:
    """Copy the packets of the sound in its part, or encode its samples again if the target has another codec."""
    stream = source.streams.audio[0]
    is_copy = target.codec_context.name == stream.codec_context.name
    items = source.demux(stream) if is_copy else source.decode(stream)
    for item in items:
        if item.pts is None:
            continue
        time = item.pts * item.time_base
        if time >= sound.end:
            break
        if time < sound.start:
            continue
        shift = round(sound.start / item.time_base)
        item.pts -= shift
        if is_copy:
            item.dts = None if item.dts is None else item.dts - shift
            item.stream = target
            output.mux(item)
        else:
            output.mux(target.encode(item))
    if not is_copy:
        output.mux(target.encode(None))
