"""A filter that goes on from a kept state gives what one without interruption gives."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.video.filters import make_filter
from polyfuse.video.store import read_arrays, read_progress, read_words, write_store

Panned = Callable[..., list[NDArray[np.float32]]]


@pytest.mark.parametrize("temporal", ["exponential:0.3", "flow"])
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_restored_filter_goes_on_bit_by_bit(panned: Panned, tmp_path: Path, temporal: str, stop: int) -> None:
    if temporal == "flow":
        pytest.importorskip("cv2")
    fused = [*panned(4, 0.02), *(frame[::-1] * np.float32(0.4) for frame in panned(4, 0.02))]  # with a cut after 4
    seen = panned(8)
    whole, first, second = (make_filter(temporal) for _ in range(3))
    assert whole is not None
    assert first is not None
    assert second is not None
    expected = [whole(frame, scene, scene) for frame, scene in zip(fused, seen, strict=True)]
    for frame, scene in zip(fused[:stop], seen[:stop], strict=True):
        first(frame, scene, scene)
    write_store(tmp_path / "state.safetensors", first.state(), {"frames": stop}, called=tmp_path)
    state = read_arrays(tmp_path / "state.safetensors")
    assert state is not None
    second.restore(state)
    for frame, scene, wanted in zip(fused[stop:], seen[stop:], expected[stop:], strict=True):
        assert np.array_equal(second(frame, scene, scene), wanted)
    assert second.cuts == whole.cuts == [4]


def test_damaged_store_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    assert (read_words(path), read_arrays(path)) == (None, None)
    write_store(path, {"x": np.arange(1000)}, {"frames": 3}, called=path)
    assert read_words(path) == {"frames": 3}
    assert read_progress(path) is None
    path.write_bytes(path.read_bytes()[:-100])
    assert read_arrays(path) is None
    path.write_bytes(b"\xff" * 40)
    assert (read_words(path), read_arrays(path)) == (None, None)


@pytest.mark.parametrize(
    "words",
    [
        {"fingerprint": {}},
        {"frames": 3},
        {"fingerprint": {}, "frames": "3"},
        {"fingerprint": {}, "frames": -1},
        {"fingerprint": {}, "frames": 3, "end": None},
        {"fingerprint": {}, "frames": 3, "deep": json.loads("[" * 40 + "]" * 40)},
    ],
    ids=lambda words: str(words)[:40],
)
def test_state_with_missing_or_wrong_words_counts_as_absent(tmp_path: Path, words: dict[str, Any]) -> None:
    write_store(tmp_path / "x.state", {}, words, called=tmp_path)
    assert read_progress(tmp_path / "x.state") is None


def test_a_changed_value_of_a_store_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.state"
    write_store(path, {"x": np.arange(1000)}, {"frames": 3}, called=path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert read_words(path) == {"frames": 3}
    assert read_arrays(path) is None


SIZE = (16, 24)
STATE = {
    "fused": np.zeros(SIZE, np.float32),
    **{name: np.zeros((1, 1, 2, 3), np.float32) for name in ("low", "low_a", "low_b")},
    "count": np.array([4]),
    "cuts": np.array([2]),
}


@pytest.mark.parametrize(
    "change",
    [
        {"count": None},
        {"cuts": None},
        {"count": np.array([1.0])},
        {"count": np.array([], np.int64)},
        {"cuts": np.array([[2]])},
        {"low": None},
        {"fused": None},
        {"x": np.zeros(3, np.float32)},
        {"fused": np.zeros((16, 23), np.float32)},
        {"low_a": np.zeros((1, 1, 2, 3))},
        {"low": np.full((1, 1, 2, 3), np.nan, np.float32)},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused_in_one_line(change: dict[str, Any]) -> None:
    frames = [np.zeros(SIZE, np.float32)] * 3
    for state in (STATE, {name: array for name, array in (STATE | change).items() if array is not None}):
        found = make_filter("exponential:0.3")
        assert found is not None
        if state is STATE:
            found.restore(state)
            found(*frames)
            continue
        with pytest.raises(InputError, match="of other frames: pass --overwrite to begin anew"):  # noqa: PT012
            found.restore(state)
            found(*frames)
