"""Two clips become one: same pictures as `fuse` makes, time stamps, ranges, depth and sound of the sources."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyfuse
from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.families.classic import Average
from polyfuse.registry import FAMILIES, list_models
from polyfuse.video import ClipOptions, fuse_clip
from polyfuse.video.fusing import AHEAD, ahead

av = pytest.importorskip("av")

Make = Callable[..., Path]
Look = Callable[[Path], Any]
Scene = Callable[..., Any]
Clips = tuple[Path, Path]


def seconds(*values: float) -> list[Fraction]:
    """Times as exact numbers."""
    return [Fraction(str(value)) for value in values]


@pytest.mark.parametrize("model", ["average", "maximum", "laplacian"])
def test_lossless_clip_holds_the_pictures_that_fuse_makes(clips: Clips, look: Look, tmp_path: Path, model: str) -> None:
    result = fuse_clip(*clips, tmp_path / "fused.mkv", model=model)
    seen = look(result.path)
    assert (result.num_frames, len(seen.frames), seen.format) == (10, 10, "bgr0")
    for a, b, fused in zip(*(look(path).frames for path in clips), seen.frames, strict=True):
        assert np.array_equal(fused, polyfuse.fuse(a, b, model=model).image)


def test_h264_clip_is_close_to_those_pictures_and_has_their_times(clips: Clips, look: Look, tmp_path: Path) -> None:
    result = fuse_clip(*clips, tmp_path / "fused.mp4", model="average")
    seen = look(result.path)
    assert (seen.codec, seen.format, seen.duration) == ("h264", "yuv420p", 1.0)
    assert seen.times == [Fraction(number, 10) for number in range(10)]
    exact = look(fuse_clip(*clips, tmp_path / "exact.mkv", model="average").path)
    for one, other in zip(seen.frames, exact.frames, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 4  # chroma of half size
    assert result.notes == ()


def test_uneven_time_stamps_are_kept(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    ticks = [0, 40, 200, 210, 800]
    a = make_clip(tmp_path / "a.mp4", scene(5), ticks=ticks)
    b = make_clip(tmp_path / "b.mp4", scene(5, (48, 64, 3)), ticks=ticks)
    result = fuse_clip(a, b, tmp_path / "fused.mp4", model="average")
    assert look(result.path).times == [Fraction(tick, 1000) for tick in ticks]


def test_other_rate_takes_the_frame_nearest_in_time(make_clip: Make, look: Look, tmp_path: Path) -> None:
    levels = [np.full((16, 16), 20 * number, np.uint8) for number in range(6)]
    a = make_clip(tmp_path / "a.mkv", levels[:3], rate=5)
    b = make_clip(tmp_path / "b.mkv", [np.zeros((16, 16), np.uint8)] * 6, rate=10)
    result = fuse_clip(a, b, tmp_path / "fused.mkv", model="maximum")
    seen = look(result.path)
    assert [int(frame[0, 0]) for frame in seen.frames] == [0, 0, 20, 20, 40, 40]
    assert seen.times == seconds(0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert result.notes == ("a has 5 frames/s and b 10: each frame of b takes the nearest of a",)


@pytest.mark.parametrize(
    ("num_a", "num_b", "note"),
    [
        (4, 7, "a ends after 0.40 s: the rest of b is left out"),
        (7, 4, "b ends after 0.40 s: the rest of a is left out"),
    ],
)
def test_result_ends_with_the_shorter_clip_and_says_so(
    make_clip: Make, look: Look, scene: Scene, tmp_path: Path, num_a: int, num_b: int, note: str
) -> None:
    a = make_clip(tmp_path / "a.mkv", scene(num_a))
    b = make_clip(tmp_path / "b.mkv", scene(num_b))
    result = fuse_clip(a, b, tmp_path / "fused.mkv", model="average")
    assert (len(look(result.path).frames), result.notes) == (4, (note,))


def test_sound_of_the_visible_clip_is_carried_over_bit_by_bit(
    make_clip: Make, look: Look, scene: Scene, tmp_path: Path
) -> None:
    a = make_clip(tmp_path / "a.mp4", scene(10))
    b = make_clip(tmp_path / "b.mp4", scene(10, (48, 64, 3)), sound="aac")
    before = look(b).sound
    after = look(fuse_clip(a, b, tmp_path / "fused.mp4", model="average").path).sound
    assert len(before) > 5
    assert after == [packet for packet in before if packet[0] >= 0]
    silent = fuse_clip(a, b, tmp_path / "silent.mp4", model="average", clip=ClipOptions(sound=False))
    assert look(silent.path).sound == []


def test_sound_ends_with_the_pictures(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    a = make_clip(tmp_path / "a.mp4", scene(4))
    b = make_clip(tmp_path / "b.mp4", scene(20, (48, 64, 3)), sound="aac")
    sound = look(fuse_clip(a, b, tmp_path / "fused.mp4", model="average").path).sound
    assert 0.2 < sound[-1][0] < 0.4


def test_sound_that_the_format_cannot_hold_is_left_out_with_a_note(
    make_clip: Make, look: Look, scene: Scene, tmp_path: Path
) -> None:
    a = make_clip(tmp_path / "a.mp4", scene(3))
    b = make_clip(tmp_path / "b.mp4", scene(3), sound="aac")
    result = fuse_clip(a, b, tmp_path / "fused.webm", model="average")
    assert look(result.path).sound == []
    assert [note for note in result.notes if "(aac) does not go into this format" in note]


def test_odd_size_is_kept_in_444(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    a = make_clip(tmp_path / "a.mkv", scene(3, (47, 65)))
    b = make_clip(tmp_path / "b.mkv", scene(3, (47, 65, 3)))
    result = fuse_clip(a, b, tmp_path / "fused.mp4", model="average")
    seen = look(result.path)
    assert (seen.frames[0].shape, seen.format) == ((47, 65, 3), "yuv444p")
    assert result.notes == ("65x47 is odd: written as 4:4:4, which some players do not show",)


def test_sixteen_bits_are_kept_in_mkv(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    frames = scene(3, dtype=np.uint16)
    a = make_clip(tmp_path / "a.mkv", frames)
    b = make_clip(tmp_path / "b.mkv", frames[::-1])
    seen = look(fuse_clip(a, b, tmp_path / "fused.mkv", model="maximum", range="full").path)
    assert seen.format == "gray16le"
    for one, other, fused in zip(frames, frames[::-1], seen.frames, strict=True):
        assert np.array_equal(fused, np.maximum(one, other))


def test_sixteen_bits_into_mp4_become_eight_with_a_note_unless_asked_for(
    make_clip: Make, scene: Scene, tmp_path: Path
) -> None:
    a = make_clip(tmp_path / "a.mkv", scene(3, dtype=np.uint16))
    b = make_clip(tmp_path / "b.mkv", scene(3))
    result = fuse_clip(a, b, tmp_path / "fused.mp4", model="average", range="full")
    assert result.notes == ("the result has 8 bits, a source has more: an .mkv file would keep them",)
    with pytest.raises(UsageError, match=r"name an \.mkv file"):
        fuse_clip(a, b, tmp_path / "other.mp4", model="average", bit_depth="same")


def test_one_range_holds_for_all_frames(make_clip: Make, look: Look, tmp_path: Path) -> None:
    levels = [np.full((16, 16), level, np.uint8) for level in (100, 50, 150, 100)]
    levels[1][0, 0], levels[2][0, 0] = 40, 160
    a = make_clip(tmp_path / "a.mkv", levels)
    b = make_clip(tmp_path / "b.mkv", [np.zeros((16, 16), np.uint8)] * 4)
    result = fuse_clip(a, b, tmp_path / "fused.mkv", model="maximum", range="minmax", range_b="0,255")
    assert (result.record["range"]["a"]["low"], result.record["range"]["a"]["high"]) == (40, 160)
    fused = look(result.path).frames
    assert np.array_equal(fused[0], fused[3])


def test_deep_thermal_clip_has_one_window_that_nobody_asked_for(make_clip: Make, tmp_path: Path) -> None:
    levels = [np.linspace(low, low + 100, 256, dtype=np.uint16).reshape(16, 16) for low in (7000, 7500, 7200)]
    a = make_clip(tmp_path / "a.mkv", levels)
    b = make_clip(tmp_path / "b.mkv", [np.zeros((16, 16), np.uint8)] * 3)
    result = fuse_clip(a, b, tmp_path / "fused.mkv", model="maximum")
    window = result.record["range"]["a"]
    assert 7000 <= window["low"] < 7010
    assert 7590 < window["high"] <= 7600
    assert any(note.startswith("a has 16 bits") for note in result.notes)
    assert result.record["notes"] == list(result.notes)


def test_swap_makes_the_second_clip_the_thermal_one(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    thermal = make_clip(tmp_path / "thermal.mkv", scene(3))
    visible = make_clip(tmp_path / "visible.mkv", scene(3, (48, 64, 3), 1))
    plain = fuse_clip(thermal, visible, tmp_path / "plain.mkv", model="laplacian")
    swapped = fuse_clip(visible, thermal, tmp_path / "swapped.mkv", model="laplacian", swap=True)
    assert swapped.record["sources"] == plain.record["sources"]
    for one, other in zip(look(plain.path).frames, look(swapped.path).frames, strict=True):
        assert np.array_equal(one, other)


class Sharp(Average):
    """A model whose result would be stretched picture by picture."""

    @property
    def spec(self) -> Any:
        from dataclasses import replace

        return replace(super().spec, output="minmax")


def test_stretching_model_is_stretched_alike_in_all_frames(make_clip: Make, look: Look, tmp_path: Path) -> None:
    frames = [np.tile(np.array([100, 100 + 10 * number], np.uint8), (16, 8)) for number in (5, 1, 3)]
    a, b = (make_clip(tmp_path / f"{name}.mkv", frames) for name in "ab")
    fused = look(fuse_clip(a, b, tmp_path / "fused.mkv", model=Sharp()).path).frames
    assert [int(frame.max()) for frame in fused] == [255, 51, 153]


@pytest.mark.parametrize("matrix", [2, 1, 6])
def test_colour_and_its_matrix_are_those_of_the_source(tmp_path: Path, matrix: int) -> None:
    bands = np.array([[[200, 40, 60]], [[30, 160, 220]], [[240, 230, 20]]], np.uint8)
    colours = bands.repeat(16, 0).repeat(64, 1)
    for name in "ab":
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=10, options={"crf": "0"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.colorspace = matrix
            frame = av.VideoFrame.from_ndarray(colours, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1 if matrix == 1 else 5)
            frame.pts = 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    options = ClipOptions(crf=1)
    result = fuse_clip(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "fused.mp4", model="average", clip=options)
    planes = []
    for path in (tmp_path / "b.mp4", result.path):
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.colorspace == matrix
            planes.append(next(container.decode(video=0)).to_ndarray().astype(int))
    difference = (planes[1] - planes[0])[[5, 24, 42, 49, 54, 58, 65, 70]]  # inside the stripes: luma, then chroma
    assert np.abs(difference).max() <= 1


def test_clip_that_begins_in_black_still_has_colour(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    a = make_clip(tmp_path / "a.mkv", scene(6))
    b = make_clip(tmp_path / "b.mkv", [np.zeros((48, 64, 3), np.uint8)] * 2 + scene(6, (48, 64, 3))[2:])
    result = fuse_clip(a, b, tmp_path / "fused.mkv", model="average")
    assert result.record["colour"]["from"] == "b"
    assert np.ptp(look(result.path).frames[-1].astype(int), axis=2).max() > 50


def test_grey_clip_in_yuv_counts_as_grey_over_the_full_range(make_clip: Make, look: Look, tmp_path: Path) -> None:
    frames = [np.tile(np.array([[0, 255]], np.uint8), (16, 8))] * 3
    a, b = (make_clip(tmp_path / f"{name}.mp4", frames) for name in "ab")
    seen = look(fuse_clip(a, b, tmp_path / "fused.mkv", model="average").path)
    assert seen.format == "gray"
    assert (int(seen.frames[0].min()), int(seen.frames[0].max())) == (0, 255)


def test_sizes_must_agree_unless_one_is_resized(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    a = make_clip(tmp_path / "a.mkv", scene(3, (24, 32)))
    b = make_clip(tmp_path / "b.mkv", scene(3))
    with pytest.raises(InputError, match="a is 32x24 but b is 64x48: two cameras need the --warp"):
        fuse_clip(a, b, tmp_path / "fused.mkv", model="average")
    large = fuse_clip(a, b, tmp_path / "large.mkv", model="average", resize="a")
    small = fuse_clip(a, b, tmp_path / "small.mkv", model="average", resize="b")
    assert look(large.path).frames[0].shape == (48, 64)
    assert look(small.path).frames[0].shape == (24, 32)
    assert large.notes == ("a resized from 32x24 to 64x48",)


def test_resume_keeps_what_was_made_in_the_same_way(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "fused.mkv"
    first = fuse_clip(*clips, target, model="average")
    again = fuse_clip(*clips, target, model="average", resume=True)
    assert (again.kept, again.num_frames, again.record["run"]) == (True, 0, first.record["run"])
    other = fuse_clip(*clips, target, model="average", resume=True, clip=ClipOptions(temporal="exponential"))
    assert (other.kept, other.num_frames) == (False, 10)
    with pytest.raises(OutputError, match="exists"):
        fuse_clip(*clips, target, model="average")


def test_record_says_what_made_the_clip(clips: Clips, tmp_path: Path) -> None:
    record = fuse_clip(*clips, tmp_path / "fused.mp4", model="average", clip=ClipOptions("exponential:0.5")).record
    assert record["clip"] == {
        "frames": 10,
        "rate": "10",
        "encoder": "libx264",
        "encoder_options": {"preset": "veryfast", "x264-params": "cpu-independent=1", "crf": "18"},
        "repeatable": True,
        "cuts": [],
    }
    assert record["settings"]["clip"]["temporal"] == "exponential:0.5"
    assert (record["sources"]["a"]["format"], len(record["sources"]["a"]["sha256"])) == ("ffv1", 64)
    assert (tmp_path / "fused.mp4.json").is_file()


def test_single_frame_is_a_clip_too(make_clip: Make, look: Look, scene: Scene, tmp_path: Path) -> None:
    a = make_clip(tmp_path / "a.mkv", scene(1), rate=30)
    b = make_clip(tmp_path / "b.mkv", scene(3), rate=10)
    result = fuse_clip(a, b, tmp_path / "fused.mkv", model="average")
    assert len(look(result.path).frames) == 1


def test_no_more_frames_than_a_few_are_read_ahead() -> None:
    read: list[int] = []

    def frames() -> Iterator[Any]:
        for number in range(100):
            read.append(number)
            yield number

    with ThreadPoolExecutor(1) as reader:
        waiting = [len(read) - taken for taken, _ in enumerate(ahead(frames(), reader))]
    assert (len(waiting), max(waiting) <= AHEAD + 1) == (100, True)


READY = [entry for entry in list_models() if not entry.needs_weights]
QUICK = {"average", "maximum", "laplacian"}  # of the classic methods, all of which take the same way
LONG = {entry.name for entry in READY if not FAMILIES[entry.family].learned} - QUICK


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name.endswith(".brain") or name in LONG else name
        for name in (entry.name for entry in READY)
    ],
)
def test_every_model_in_the_box_fuses_clips(clips: Clips, tmp_path: Path, look: Look, name: str) -> None:
    assert len(look(fuse_clip(*clips, tmp_path / "fused.mp4", model=name).path).frames) == 10
