"""The contestants: what each row shows, what is fused and kept, and what is refused before any work."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyfuse import fuse
from polyfuse.downstream.rows import TRIVIAL, find_contestants
from polyfuse.errors import InputError, UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.io import Pair, read_picture, write_picture

Pairs = Callable[..., list[Pair]]


def test_trivial_rows_are_always_there_and_in_this_order(pairs: Pairs, tmp_path: Path) -> None:
    names = [row.name for row in find_contestants(pairs(), tmp_path / "out", models=["laplacian"]).rows]
    assert names == [*TRIVIAL, "laplacian"]


def test_sources_are_shown_as_they_are(pairs: Pairs, tmp_path: Path) -> None:
    contestants = find_contestants(pairs(), tmp_path / "out")
    infrared, visible, _, _ = contestants.rows
    pair = contestants.pairs[1]
    grey = read_picture(pair.a).array
    assert (contestants.picture(infrared, pair) == grey[..., None]).all()
    assert (contestants.picture(visible, pair) == read_picture(pair.b).array).all()


@pytest.mark.parametrize("name", ["average", "maximum"])
def test_baselines_are_the_classic_models_in_colour(pairs: Pairs, tmp_path: Path, name: str) -> None:
    contestants = find_contestants(pairs(), tmp_path / "out")
    row = next(row for row in contestants.rows if row.name == name)
    pair = contestants.pairs[0]
    assert (contestants.picture(row, pair) == fuse(pair.a, pair.b, model=name).image).all()


def test_deep_infrared_is_shown_through_its_window(tmp_path: Path) -> None:
    counts = np.linspace(20_000, 21_000, 48 * 64).reshape(48, 64).astype(np.uint16)
    a = write_picture(tmp_path / "ir/x.tif", counts)
    b = write_picture(tmp_path / "vi/x.png", np.full((48, 64, 3), 90, np.uint8))
    contestants = find_contestants([Pair("x", a, b)], tmp_path / "out", options=FuseOptions())
    shown = contestants.picture(contestants.rows[0], contestants.pairs[0])
    assert (shown.shape, shown.dtype.name, int(shown.min()), int(shown.max())) == ((48, 64, 3), "uint8", 0, 255)
    assert all(contestants.picture(row, contestants.pairs[0]).dtype == np.uint8 for row in contestants.rows)


def test_folder_row_matches_by_stem_and_leaves_other_pictures_alone(pairs: Pairs, tmp_path: Path) -> None:
    three = pairs()
    for name in ("0", "1", "2", "more"):
        write_picture(tmp_path / f"mine/{name}.png", np.full((48, 64), 7, np.uint8))
    contestants = find_contestants(three, tmp_path / "out", fused={"mine": tmp_path / "mine"})
    shown = contestants.picture(contestants.rows[-1], three[2])
    assert (shown.shape, np.unique(shown).tolist()) == ((48, 64, 3), [7])


def test_models_fuse_once_and_a_second_run_keeps_their_results(pairs: Pairs, tmp_path: Path) -> None:
    contestants = find_contestants(pairs(), tmp_path / "out", models=["laplacian"])
    assert [outcome.state for outcome in contestants.fuse()] == ["fused"] * 3
    (tmp_path / "out/fused/laplacian/1.png").unlink()  # as if the run had been killed before it
    assert [outcome.state for outcome in contestants.fuse()] == ["kept", "fused", "kept"]
    pair = contestants.pairs[0]
    expected = fuse(pair.a, pair.b, model="laplacian").image
    assert (contestants.picture(contestants.rows[-1], pair) == expected).all()


def test_failure_of_a_model_names_it_and_the_pair(pairs: Pairs, tmp_path: Path) -> None:
    contestants = find_contestants(pairs(), tmp_path / "out", models=["laplacian"])
    (tmp_path / "vi/1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"laplacian, 1: .*1\.png"):
        list(contestants.fuse())


def test_folder_that_lacks_pictures_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    three = pairs()
    write_picture(tmp_path / "mine/0.png", np.zeros((48, 64), np.uint8))
    with pytest.raises(InputError, match=r"mine lacks 2 of 3 pictures \(1, 2\): add them"):
        find_contestants(three, tmp_path / "out", fused={"mine": tmp_path / "mine"})


def test_result_of_another_size_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    one = pairs(1)
    write_picture(tmp_path / "mine/0.png", np.zeros((24, 32), np.uint8))
    with pytest.raises(InputError, match=r"0\.png is 32x24 and its pair 0 64x48: give results of the pair's size"):
        find_contestants(one, tmp_path / "out", fused={"mine": tmp_path / "mine"})


@pytest.mark.parametrize("name", ["visible", "laplacian"])
def test_two_rows_of_one_name_are_refused(pairs: Pairs, tmp_path: Path, name: str) -> None:
    one = pairs(1)
    write_picture(tmp_path / "mine/0.png", np.zeros((48, 64), np.uint8))
    with pytest.raises(UsageError, match=f"two rows are called {name}"):
        find_contestants(one, tmp_path / "out", fused={name: tmp_path / "mine"}, models=["laplacian"])


def test_unknown_model_is_refused_before_any_work(pairs: Pairs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no model 'laplacia'"):
        find_contestants(pairs(), tmp_path / "out", models=["laplacia"])
