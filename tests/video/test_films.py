"""Films and folders of frames: what is written is read again, with its sound; broken ones are refused or cut."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from nst_tf.util.errors import InputError
from nst_tf.video import Frames, VideoConfig
from nst_tf.video.clips import FolderClip, open_clip
from nst_tf.video.films import Sound, write_film
from nst_tf.video.scenes import translation
from nst_tf.video.stylizing import stylize_video

av = pytest.importorskip("av")

FRAMES = [(255 * picture).astype(np.uint8) for picture in translation(31, 45, 8).frames()]
RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A film of two seconds with a tone."""
    path = tmp_path_factory.mktemp("films") / "spoken.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        for n in range(24):
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 10 * n, np.uint8), "rgb24")))
        output.mux(video.encode(None))
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)).astype(np.int16)
        for start in range(0, 16000, 400):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 400].copy(), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return path


def test_a_lossless_film_has_every_pixel_and_the_frame_rate(tmp_path):
    path = tmp_path / "film.mkv"
    write_film(path, iter(FRAMES), RATE)
    clip = open_clip(path)
    np.testing.assert_array_equal(np.stack(list(clip.frames())), np.stack(FRAMES))
    assert float(clip.rate) == pytest.approx(float(RATE), rel=1e-3)
    assert clip.sound is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_clip_that_scikit_image_ships_is_read():
    path = Path(skimage.data.__file__).parent / "no_time_for_that_tiny.gif"
    clip = open_clip(path)
    frames = list(clip.frames())
    with Image.open(path) as file:
        first = np.asarray(file.convert("RGB"))
    assert (len(frames), frames[0].shape, clip.rate) == (24, (25, 14, 3), Fraction(100, 7))
    np.testing.assert_array_equal(frames[0], first)


def test_a_viewing_film_is_close_and_an_odd_side_is_continued(tmp_path):
    path = tmp_path / "film.mp4"
    write_film(path, iter([frame // 2 + 64 for frame in FRAMES]), Fraction(12))
    read = list(open_clip(path).frames())
    assert [frame.shape for frame in read] == [(32, 46, 3)] * 8
    grey = [frame[:31, :45].astype(float).mean(axis=-1) for frame in read]
    expected = [(frame // 2 + 64).astype(float).mean(axis=-1) for frame in FRAMES]
    assert np.abs(np.stack(grey) - np.stack(expected)).mean() < 8


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "pcm_s16le"), (".mp4", "aac")])
def test_the_sound_of_the_range_is_kept(suffix, codec, spoken, tmp_path):
    path = tmp_path / f"film{suffix}"
    write_film(path, iter(FRAMES), Fraction(8), Sound(spoken, Fraction(1, 2), Fraction(3, 2)))
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        assert stream.codec_context.name == codec
        samples = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in film.decode(stream)])
    assert len(samples) == pytest.approx(8000, abs=2100)  # AAC works in blocks of 1024
    middle = samples[1000:5000].astype(float)
    assert np.argmax(np.abs(np.fft.rfft(middle - middle.mean()))) == pytest.approx(440 / 2, abs=2)


def test_a_film_that_breaks_off_is_read_up_to_the_break(tmp_path):
    path = tmp_path / "film.mkv"
    write_film(path, iter(FRAMES), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    read = list(open_clip(path).frames())
    assert 1 <= len(read) < len(FRAMES)
    np.testing.assert_array_equal(np.stack(read), np.stack(FRAMES[: len(read)]))


def test_what_is_no_film_is_refused_in_one_line(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"not a film")
    with pytest.raises(InputError, match=r"^video=.*film\.mp4: not a film that can be read: Invalid data"):
        open_clip(tmp_path / "film.mp4")
    with pytest.raises(InputError, match=r"^video=nowhere\.mp4: there is no such film or folder"):
        open_clip("nowhere.mp4")
    with pytest.raises(InputError, match=r"^video is missing"):
        open_clip(None)
    with pytest.raises(InputError, match=r"no such scene; available: sample:translation, sample:rotation"):
        open_clip("sample:nothing")


def test_a_failed_film_leaves_the_old_one_in_place(tmp_path):
    path = tmp_path / "film.mkv"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="at least one frame"):
        write_film(path, iter([]), RATE)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for n in (10, 9, 1, 2):
        Image.fromarray(np.full((4, 5, 3), n, np.uint8)).save(tmp_path / f"frame{n}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    clip = open_clip(tmp_path)
    assert isinstance(clip, FolderClip)
    assert [int(frame[0, 0, 0]) for frame in clip.frames()] == [1, 2, 9, 10]


def test_a_frame_of_another_size_is_named(tmp_path):
    for n, width in enumerate((5, 5, 6)):
        Image.new("RGB", (width, 4)).save(tmp_path / f"{n}.png")
    with pytest.raises(InputError, match=r"2\.png' has 6x4 pixels, and the first frame 5x4\. .*frames\.stop=2"):
        list(open_clip(tmp_path).frames())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no pictures"):
        open_clip(tmp_path / "empty")


def test_a_clip_of_other_frames_has_another_identity(tmp_path):
    for n in range(2):
        Image.new("RGB", (5, 4), (n, 0, 0)).save(tmp_path / f"{n}.png")
    before = open_clip(tmp_path).identity()
    assert open_clip(tmp_path).identity() == before
    Image.new("RGB", (5, 4), (9, 0, 0)).save(tmp_path / "1.png")
    assert open_clip(tmp_path).identity() != before


def test_the_source_is_never_overwritten(tmp_path):
    path = tmp_path / "film.mkv"
    write_film(path, iter(FRAMES), RATE)
    config = VideoConfig(video=str(path), style="sample:wedges", output=str(path))
    with pytest.raises(InputError, match=r"^output=.*film\.mkv: is the source of the film"):
        stylize_video(config, tmp_path / "folder")
    config = VideoConfig(video=str(path), style="sample:wedges", output=str(tmp_path / "absent" / "film.mp4"))
    with pytest.raises(InputError, match=r"cannot be written\. Create its folder"):
        stylize_video(config, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [path]


def test_a_range_is_that_of_python():
    numbers = list(range(20))
    for frames in (Frames(), Frames(3, 11, 4), Frames(stride=7), Frames(start=30)):
        assert list(frames.of(iter(numbers))) == numbers[frames.start : frames.stop : frames.stride]
    with pytest.raises(InputError, match=r"^frames\.stop=3: must be above frames\.start=3"):
        Frames(3, 3)


def test_the_rate_of_a_stride_keeps_the_duration():
    assert Frames(stride=2).rate_of(Fraction(24000, 1001)) == Fraction(12000, 1001)
    assert Frames(rate=12.5).rate_of(Fraction(50)) == Fraction(25, 2)
