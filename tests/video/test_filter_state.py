"""A filter that goes on from a kept state gives what one without interruption gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.video.filters import make_filter
from polyfuse.video.store import read_arrays, read_words, write_store

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
    path.write_bytes(path.read_bytes()[:-100])
    assert read_arrays(path) is None
    path.write_bytes(b"\xff" * 40)
    assert (read_words(path), read_arrays(path)) == (None, None)
