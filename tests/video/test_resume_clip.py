"""A clip that was interrupted goes on from its finished parts, to the frames of a run without interruption."""

from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from polyfuse.errors import OutputError
from polyfuse.video import ClipOptions, ClipResult, fuse_clip
from polyfuse.video.codecs import choose_encoding
from polyfuse.video.fusing import FrameFusion
from polyfuse.video.picture_stream import PictureFormat
from polyfuse.video.reader import describe
from polyfuse.video.store import read_arrays, read_words, write_store
from polyfuse.video.writer import part_ends

av = pytest.importorskip("av")

Make = Callable[..., Path]
Look = Callable[[Path], Any]
Scene = Callable[..., Any]
Run = Callable[..., ClipResult]
TICKS = [0, 40, 200, 210, 800, 801, 900, 1000, 1500, 1510]
PARTS = ".fused{}.parts"


@pytest.fixture
def run(make_clip: Make, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Fuse a pair of ten frames with uneven times, sound and a cut, three frames to a part; `stop` interrupts."""
    monkeypatch.setattr("polyfuse.video.writer.PART_FRAMES", 3)
    for name, shape in (("a", (48, 64)), ("b", (48, 64, 3))):
        frames = [*scene(5, shape), *(255 - frame for frame in scene(5, shape))]
        make_clip(tmp_path / f"{name}.mp4", frames, ticks=TICKS, sound="aac")

    def fuse(target: Path, temporal: str = "exponential:0.3", stop: int = 0, **options: Any) -> ClipResult:
        def interrupt(done: int, _total: int) -> None:
            if done == stop:
                raise KeyboardInterrupt

        # Without loss, so that parts of other lengths can be compared too.
        clip = ClipOptions(temporal, crf=0 if target.suffix == ".mp4" else None)
        sources = (tmp_path / "a.mp4", tmp_path / "b.mp4")
        return fuse_clip(*sources, target, model="average", clip=clip, on_frame=interrupt, **options)

    return fuse


@pytest.mark.parametrize(
    ("suffix", "temporal"), [(".mp4", "none"), (".mp4", "flow"), (".mkv", "exponential:0.3"), (".mkv", "flow")]
)
def test_resumed_clip_has_the_frames_of_a_run_without_interruption(
    run: Run, look: Look, tmp_path: Path, suffix: str, temporal: str
) -> None:
    if temporal == "flow":
        pytest.importorskip("cv2")
    whole = run(tmp_path / f"whole{suffix}", temporal)
    target = tmp_path / "out" / f"fused{suffix}"
    for stop in (5, 8):
        with pytest.raises(KeyboardInterrupt):
            run(target, temporal, stop, resume=True)
        assert [path.name for path in target.parent.iterdir()] == [PARTS.format(suffix)]
    result = run(target, temporal, resume=True)
    assert (result.num_frames, result.num_resumed) == (10, 6)
    assert "6 of 10 frames were there from an earlier run" in result.notes
    assert "damaged" not in " ".join(result.notes)
    assert result.record["clip"] == whole.record["clip"]
    assert {path.name for path in target.parent.iterdir()} == {target.name, f"{target.name}.json"}
    same(look(target), look(whole.path))


def same(one: Any, other: Any) -> None:
    """Both clips have the same frames, times and sound."""
    assert len(one.frames) == len(other.frames) == 10
    assert all(np.array_equal(*pair) for pair in zip(one.frames, other.frames, strict=True))
    assert (one.times, one.sound) == (other.times, other.sound)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_joined_parts_are_the_clip_in_one_piece(
    run: Run, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    pieces = look(run(tmp_path / f"pieces{suffix}").path)
    monkeypatch.setattr("polyfuse.video.writer.PART_FRAMES", 250)
    whole = look(run(tmp_path / f"whole{suffix}").path)
    same(pieces, whole)
    assert pieces.times == [Fraction(tick, 1000) for tick in TICKS]


def test_vp9_in_parts_decodes_to_all_frames_in_time(run: Run, look: Look, tmp_path: Path) -> None:
    seen = look(run(tmp_path / "fused.webm").path)
    exact = look(run(tmp_path / "exact.mkv").path)
    assert seen.times == exact.times
    assert max(np.abs(one.astype(int) - other).mean() for one, other in zip(seen.frames, exact.frames, strict=True)) < 6


def test_frames_that_are_there_are_not_fused_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fused.mp4", stop=7)
    fused: list[int] = []
    plane = FrameFusion.plane

    def counted(*given: Any) -> Any:
        fused.append(1)
        return plane(*given)

    monkeypatch.setattr(FrameFusion, "plane", counted)
    run(tmp_path / "fused.mp4", resume=True)
    assert len(fused) == 4


def test_parts_are_refused_without_resume_and_removed_with_overwrite(run: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fused.mp4", stop=4)
    with pytest.raises(OutputError, match=r"as far as frame 3 of .*fused\.mp4: pass --resume to go on, or --overwrite"):
        run(tmp_path / "fused.mp4")
    assert run(tmp_path / "fused.mp4", overwrite=True).num_resumed == 0
    assert not (tmp_path / PARTS.format(".mp4")).exists()


def test_parts_made_in_another_way_are_not_used(run: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fused.mp4", stop=7)
    assert run(tmp_path / "fused.mp4", "exponential:0.5", resume=True).num_resumed == 0


def test_damaged_part_is_made_again(run: Run, look: Look, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fused.mp4", stop=7)
    last = sorted((tmp_path / PARTS.format(".mp4")).iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-10])
    result = run(tmp_path / "fused.mp4", resume=True)
    assert result.num_resumed == 3
    assert "a part that an earlier run left is damaged and was made again, with those after it" in result.notes
    same(look(result.path), look(whole.path))


def test_damaged_sidecar_of_a_clip_is_told(run: Run, tmp_path: Path) -> None:
    result = run(tmp_path / "fused.mkv")
    (tmp_path / "fused.mkv.json").write_text("[]")
    again = run(tmp_path / "fused.mkv", resume=True)
    assert (again.kept, [note for note in again.notes if note not in result.notes]) == (
        False,
        ["its sidecar is damaged and says nothing, so it is fused again"],
    )
    assert "damaged" not in " ".join(run(tmp_path / "fused.mkv", resume=True).notes)


def test_clip_whose_parts_could_not_be_joined_is_joined_by_the_next_run(
    run: Run, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: Any, **_more: Any) -> None:
        raise OutputError("disk full: free some space")

    with monkeypatch.context() as broken:
        broken.setattr("polyfuse.video.run.join", full)
        with pytest.raises(OutputError, match="disk full"):
            run(tmp_path / "fused.mkv")
    assert not (tmp_path / "fused.mkv").exists()
    result = run(tmp_path / "fused.mkv", resume=True)
    assert (result.num_frames, result.num_resumed) == (10, 10)
    same(look(result.path), look(run(tmp_path / "whole.mkv").path))


def test_interruption_before_the_first_part_leaves_nothing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out" / "fused.mp4", stop=2)
    assert list((tmp_path / "out").iterdir()) == []


def test_folder_that_cannot_be_written_is_found_before_any_frame(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/fused\.mp4 cannot be written"):
        run(tmp_path / "file" / "fused.mp4", stop=1)


def test_short_clip_is_not_lost_as_a_whole(make_clip: Make, scene: Scene, tmp_path: Path) -> None:
    a, b = make_clip(tmp_path / "a.mkv", scene(26)), make_clip(tmp_path / "b.mkv", scene(26, (48, 64, 3)))

    def interrupt(done: int, _total: int) -> None:
        if done == 24:
            raise KeyboardInterrupt

    target = tmp_path / "fused.mp4"
    with pytest.raises(KeyboardInterrupt):
        fuse_clip(a, b, target, model="average", on_frame=interrupt)
    assert fuse_clip(a, b, target, model="average", resume=True).num_resumed == 16
    whole = fuse_clip(a, b, tmp_path / "whole.mp4", model="average").path
    assert target.read_bytes() == whole.read_bytes()


def test_parts_grow_to_the_distance_of_key_frames(make_clip: Make, scene: Scene, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "b.mp4", scene(2, (48, 64, 3)))
    encoding = choose_encoding(tmp_path / "fused.mp4", ClipOptions())
    pictures = PictureFormat(encoding, describe(clip, max_pixels=10000), grey=False, depth=8)
    assert list(islice(part_ends(pictures), 7)) == [16, 48, 112, 240, 490, 740, 990]


def test_lossless_parts_are_short_enough_for_memory(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyfuse.video.writer.LOSSLESS_BYTES", 48 * 64 * 3 * 2)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fused.mkv", stop=7)
    assert len(list((tmp_path / PARTS.format(".mkv")).iterdir())) == 3


def test_part_that_lacks_a_frame_is_not_kept(
    run: Run, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, seen = FrameFusion.finish, []

    def fail(*given: Any) -> Any:
        seen.append(1)
        if len(seen) == 5:
            sleep(0.5)  # until the end of its part waits behind it
            raise MemoryError
        return finish(*given)

    with monkeypatch.context() as broken:
        broken.setattr(FrameFusion, "finish", fail)
        with pytest.raises(MemoryError):
            run(tmp_path / "fused.mkv")
    assert len(list((tmp_path / PARTS.format(".mkv")).iterdir())) == 1
    result = run(tmp_path / "fused.mkv", resume=True)
    assert result.num_resumed == 3
    same(look(result.path), look(run(tmp_path / "whole.mkv").path))


def test_parts_are_never_deleted_or_written_through_a_link(run: Run, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    precious = others / "000000.safetensors"
    precious.write_text("mine")
    (tmp_path / ".fused.mkv.parts").symlink_to(others)
    with pytest.raises(OutputError, match="parts is a link"):
        run(tmp_path / "fused.mkv", overwrite=True)
    assert [path.name for path in others.iterdir()] == [precious.name]
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("damage", ["cut", "source", "nothing"])
def test_resume_looks_at_clips_and_result(
    run: Run, make_clip: Make, scene: Scene, tmp_path: Path, damage: str, verify: bool
) -> None:
    target = tmp_path / "fused.mkv"
    run(target)
    if damage == "cut":
        target.write_bytes(target.read_bytes()[:100])
    elif damage == "source":
        make_clip(tmp_path / "a.mp4", scene(8, (48, 64)), ticks=TICKS[:8])
    assert run(target, resume=True, verify=verify).kept is (damage == "nothing")
    assert run(target, resume=True, verify=verify).kept


def test_name_without_room_for_the_folder_of_parts_is_refused_before_any_work(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out" / ("n" * 245 + ".mkv")
    with pytest.raises(OutputError, match="choose a shorter name"):
        run(target)
    assert not target.parent.exists()


def test_sidecar_of_a_clip_replaces_nothing_unasked(run: Run, tmp_path: Path) -> None:
    sidecar = tmp_path / "fused.mkv.json"
    sidecar.write_text("mine")
    with pytest.raises(OutputError, match=r"fused\.mkv\.json exists: pass --overwrite"):
        run(tmp_path / "fused.mkv")
    assert (sidecar.read_text(), (tmp_path / "fused.mkv").exists()) == ("mine", False)


@pytest.mark.parametrize(
    "change",
    [
        {"table": None},
        {"data": None},
        {"table": np.arange(5)},
        {"table": np.zeros((1, 5))},
        {"table": np.array([[0, 0, 0, 1, -1]])},
        {"table": np.array([[2**62, 0, 0, 1, 0]])},
        {"data": np.zeros(3, np.uint8)},
    ],
    ids=str,
)
def test_part_whose_packets_are_not_those_of_its_table_is_made_again(
    run: Run, look: Look, tmp_path: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fused.mkv", stop=7)
    last = sorted((tmp_path / PARTS.format(".mkv")).iterdir())[-1]
    arrays, words = read_arrays(last), read_words(last)
    assert arrays is not None
    assert words is not None
    kept = {name: array for name, array in (arrays | change).items() if array is not None}
    write_store(last, kept, words, called=last)
    assert run(tmp_path / "fused.mkv", resume=True).num_resumed == 3
