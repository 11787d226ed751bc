"""Folders of frames: the same frames as a clip of them, one range, cuts, resuming."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.fusion import FuseOptions, Outcome, Writing
from polyfuse.io import find_pairs, read_picture, write_picture
from polyfuse.registry import load
from polyfuse.video import ClipOptions, fuse_clip, fuse_frames
from polyfuse.video.frames import STATE_FILE
from polyfuse.video.fusing import FrameFusion

Frames = list[NDArray[Any]]
Scene = Callable[..., Frames]
RESUME = Writing(resume=True)


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., list[Any]]:
    """Write frames into the folders a and b, numbered without leading zeros; returns the jobs."""

    def build(a: Frames, b: Frames, out: str = "fused") -> list[Any]:
        for name, frames in (("a", a), ("b", b)):
            for number, frame in enumerate(frames, start=1):
                write_picture(tmp_path / name / f"frame{number}.png", frame, overwrite=True)
        pairs = find_pairs(tmp_path / "a", tmp_path / "b")
        return [(pair, tmp_path / out / f"{pair.name}.png") for pair in pairs]

    return build


@pytest.fixture
def sources(scene: Scene) -> tuple[Frames, Frames]:
    """Twelve frames of a grey and a colour source, with a cut before the ninth."""
    return tuple(  # type: ignore[return-value]
        [*scene(8, shape, seed), *(255 - frame for frame in scene(4, shape, seed))]
        for seed, shape in enumerate([(48, 64), (48, 64, 3)])
    )


def run(jobs: list[Any], temporal: str = "exponential:0.3", model: str = "average", **how: Any) -> list[Outcome]:
    """Fuse all frames."""
    writing = how.pop("writing", None)
    return list(fuse_frames(jobs, load(model), FuseOptions(**how), temporal, writing=writing))


def pictures(jobs: list[Any]) -> Frames:
    """The results."""
    return [read_picture(path).array for _, path in jobs]


@pytest.mark.parametrize("temporal", ["exponential:0.3", "flow"])
@pytest.mark.parametrize("model", ["average", "laplacian"])
def test_frames_are_those_of_a_clip_of_the_same_pictures(
    store: Any, sources: Any, make_clip: Any, look: Any, tmp_path: Path, temporal: str, model: str
) -> None:
    if temporal == "flow":
        pytest.importorskip("cv2")
    jobs = store(*sources)
    outcomes = run(jobs, temporal, model)
    assert [outcome.state for outcome in outcomes] == ["fused"] * 12
    assert [path.name for _, path in jobs] == [f"frame{number}.png" for number in range(1, 13)]  # 2 before 10
    a, b = (make_clip(tmp_path / f"{name}.mkv", frames) for name, frames in zip("ab", sources, strict=True))
    clip = fuse_clip(a, b, tmp_path / "clip.mkv", model=model, clip=ClipOptions(temporal))
    for one, other in zip(pictures(jobs), look(clip.path).frames, strict=True):
        assert np.array_equal(one, other)
    records = [json.loads(Path(f"{path}.json").read_text(encoding="utf-8")) for _, path in jobs]
    assert [record["sequence"]["cut_before"] for record in records] == [number == 8 for number in range(12)]
    assert records[3]["settings"]["sequence"] == {"temporal": temporal, "frames": 12}


def test_filter_does_something_and_starts_afresh_at_the_cut(store: Any, sources: Any) -> None:
    plain, filtered = store(*sources, "plain"), store(*sources, "filtered")
    run(plain, "exponential:1")
    run(filtered, "exponential:0.3")
    same = [np.array_equal(*pair) for pair in zip(pictures(plain), pictures(filtered), strict=True)]
    assert (same[0], same[8]) == (True, True)
    assert not any(same[1:8])


def test_one_range_holds_for_all_frames(store: Any) -> None:
    levels = [np.full((16, 16), level, np.uint8) for level in (100, 50, 150, 100)]
    levels[1][0, 0], levels[2][0, 0] = 40, 160
    jobs = store(levels, [np.zeros((16, 16), np.uint8)] * 4)
    run(jobs, "exponential:1", "maximum", range="minmax", range_b="0,255")
    fused = pictures(jobs)
    assert np.array_equal(fused[0], fused[3])
    record = json.loads(Path(f"{jobs[0][1]}.json").read_text(encoding="utf-8"))
    assert (record["range"]["a"]["low"], record["range"]["a"]["high"]) == (40, 160)


def test_deep_thermal_frames_share_one_window_that_nobody_asked_for(store: Any) -> None:
    levels = [np.linspace(low, low + 100, 256, dtype=np.uint16).reshape(16, 16) for low in (7000, 7500, 7200, 7000)]
    jobs = store(levels, [np.zeros((16, 16), np.uint8)] * 4)
    outcomes = run(jobs, "exponential:1", "maximum", bit_depth="8")
    windows = [json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))["range"]["a"] for _, path in jobs]
    assert windows[0]["mode"] == "percentile:0.5,99.5"
    assert 7000 <= windows[0]["low"] < 7010
    assert 7590 < windows[0]["high"] <= 7600
    assert windows == windows[:1] * 4
    assert any(note.startswith("a has 16 bits") for note in outcomes[0].notes)
    assert json.loads(Path(f"{jobs[0][1]}.json").read_text(encoding="utf-8"))["notes"] == list(outcomes[0].notes)


def test_sequence_that_begins_in_black_still_has_colour(store: Any, scene: Scene) -> None:
    jobs = store(scene(4), [np.zeros((48, 64, 3), np.uint8)] * 2 + scene(4, (48, 64, 3))[2:])
    run(jobs)
    shapes = [picture.shape for picture in pictures(jobs)]
    assert np.ptp(pictures(jobs)[-1].astype(int), axis=2).max() > 50
    assert shapes[-1] == (48, 64, 3)


def test_frame_of_another_size_is_named_before_any_work(store: Any, scene: Scene, tmp_path: Path) -> None:
    jobs = store([*scene(2), *scene(1, (24, 32))], [*scene(2), *scene(1, (24, 32))])
    with pytest.raises(InputError, match=r"frame3.png is 32x24 but frame1.png is 64x48: .* drop --temporal"):
        run(jobs)
    assert not (tmp_path / "fused").exists()


def test_frame_of_another_depth_ends_the_sequence(store: Any, scene: Scene) -> None:
    jobs = store([*scene(2), *scene(1, dtype=np.uint16)], scene(3))
    outcomes = run(jobs)
    assert [outcome.state for outcome in outcomes] == ["fused", "fused", "failed"]
    assert "has uint16 pixels and the sequence uint8: convert it" in str(outcomes[-1].error)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a sequence, with the state kept every third frame, until so many frames are on the disk."""
    monkeypatch.setattr("polyfuse.video.frames.STATE_FRAMES", 3)

    def begin(jobs: list[Any], temporal: str, count: int) -> None:
        runs: Iterator[Outcome] = fuse_frames(jobs, load("average"), FuseOptions(), temporal)
        for _ in range(count):
            next(runs)
        runs.close()  # type: ignore[attr-defined]

    return begin


@pytest.mark.parametrize("temporal", ["exponential:0.3", "flow"])
def test_resumed_sequence_is_that_of_a_run_without_interruption(
    store: Any, sources: Any, interrupted: Any, monkeypatch: pytest.MonkeyPatch, temporal: str
) -> None:
    if temporal == "flow":
        pytest.importorskip("cv2")
    whole, jobs = store(*sources, "whole"), store(*sources)
    run(whole, temporal)
    interrupted(jobs, temporal, 4)
    assert (jobs[0][1].parent / STATE_FILE).is_file()
    fused: list[int] = []
    fuse = FrameFusion.__call__

    def counted(*given: Any) -> Any:
        fused.append(1)
        return fuse(*given)

    monkeypatch.setattr(FrameFusion, "__call__", counted)
    outcomes = run(jobs, temporal, writing=RESUME)
    states = [outcome.state for outcome in outcomes]
    assert states.count("kept") >= 3
    assert len(fused) == states.count("fused") == 12 - states.count("kept")
    assert all(np.array_equal(*pair) for pair in zip(pictures(whole), pictures(jobs), strict=True))
    assert not (jobs[0][1].parent / STATE_FILE).exists()


@pytest.mark.parametrize("spoil", ["state", "frame", "settings"])
def test_without_a_state_that_fits_the_sequence_begins_anew(
    store: Any, sources: Any, interrupted: Any, spoil: str
) -> None:
    whole, jobs = store(*sources, "whole"), store(*sources)
    run(whole, "exponential:0.3")
    interrupted(jobs, "exponential:0.5" if spoil == "settings" else "exponential:0.3", 4)
    if spoil == "state":
        (jobs[0][1].parent / STATE_FILE).unlink()
    if spoil == "frame":
        jobs[1][1].unlink()
    assert [outcome.state for outcome in run(jobs, writing=RESUME)] == ["fused"] * 12
    assert all(np.array_equal(*pair) for pair in zip(pictures(whole), pictures(jobs), strict=True))


def test_damaged_state_is_told_and_the_sequence_begins_anew(store: Any, sources: Any, interrupted: Any) -> None:
    jobs = store(*sources)
    interrupted(jobs, "exponential:0.3", 7)
    state = jobs[0][1].with_name(STATE_FILE)
    state.write_bytes(state.read_bytes()[:-5])
    outcomes = run(jobs, writing=RESUME)
    assert [outcome.state for outcome in outcomes] == ["fused"] * 12
    notes = [(outcome.pair.name, note) for outcome in outcomes for note in outcome.notes if "damaged" in note]
    assert notes == [
        ("frame1", "the state of the filter that an earlier run left is damaged, so the sequence begins anew")
    ]


def test_finished_sequence_is_kept_and_not_replaced_unasked(store: Any, sources: Any) -> None:
    jobs = store(*sources)
    run(jobs)
    assert {outcome.state for outcome in run(jobs, writing=RESUME)} == {"kept"}
    with pytest.raises(OutputError, match="pass --overwrite to replace, or --resume"):
        run(jobs)
    assert {outcome.state for outcome in run(jobs, writing=Writing(overwrite=True))} == {"fused"}


def test_pictures_fused_one_by_one_do_not_count_as_done(store: Any, sources: Any) -> None:
    from polyfuse.fusion import fuse_pairs

    jobs = store(*sources)
    list(fuse_pairs(jobs, load("average"), FuseOptions()))
    assert {outcome.state for outcome in run(jobs, writing=RESUME)} == {"fused"}


def test_no_filter_is_no_sequence(store: Any, sources: Any) -> None:
    with pytest.raises(UsageError, match="keeps no frames in order"):
        run(store(*sources), "none")
