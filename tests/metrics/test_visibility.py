"""VIS, LOST and LOSTmax: the stored values, the definition as it reads, and what each is meant to tell."""

import csv
import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse import fuse
from polyfuse.fusion import FuseOptions
from polyfuse.io import read_picture
from polyfuse.metrics import UndefinedMetricWarning, lost, lostmax, score, vis
from polyfuse.metrics.inputs import prepare
from polyfuse.metrics.protocols import find_protocol
from polyfuse.metrics.statistics import Statistics
from polyfuse.ops import visibility as ops

Array = np.ndarray
NAMES = ("VIS", "VIS_a", "VIS_b", "LOST", "LOST_a", "LOST_b")
PAIRS = {
    ("tno", "23"): ("ir", "vi"),
    ("tno", "06"): ("ir", "vi"),
    ("roadscene", "FLIR_00211"): ("ir", "vi"),
    ("roadscene", "FLIR_05064"): ("ir", "vi"),
    ("msrs", "00024N"): ("ir", "vi"),
    ("vifb", "carLight"): ("ir", "vi"),
    ("llvip", "190003"): ("ir", "vi"),
    ("mri_pet", "11"): ("mri", "pet"),
}
"""Folders of a and b of every pair with stored values."""
QUICK = {("tno", "23"), ("roadscene", "FLIR_00211"), ("mri_pet", "11")}


def six(fused: Tensor, a: Tensor, b: Tensor, **how: float) -> dict[str, float]:
    """VIS and LOST with their terms, of one picture."""
    scores = score(fused, a, b, metrics=["VIS", "LOST"], terms=["VIS", "LOST"], protocol="canonical", **how)  # type: ignore[arg-type]
    values = [(scores.values[name], *scores.terms[name]) for name in ("VIS", "LOST")]
    return dict(zip(NAMES, (float(value) for group in values for value in group), strict=True))


def stored_rows(folder: Path) -> dict[tuple[str, str], list[dict[str, str]]]:
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    with (folder / "reference" / "visibility" / "golden.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault((row["set"], row["stem"]), []).append(row)
    return rows


def test_every_stored_pair_is_compared(shared_dir: Path) -> None:
    assert set(stored_rows(shared_dir)) == set(PAIRS)


@pytest.mark.parametrize(
    "pair", [p if p in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in PAIRS], ids="-".join
)
def test_stored_values(pair: tuple[str, str], shared_dir: Path) -> None:
    folder = shared_dir / "data" / pair[0] / "test"
    if not folder.is_dir():
        pytest.skip(f"the pictures of {pair[0]} are not in the reference folder")
    path_a, path_b = (next((folder / name).glob(f"{pair[1]}.*")) for name in PAIRS[pair])
    a, b = (_tensor(read_picture(path).array) for path in (path_a, path_b))
    copies = {"copy_a": _luma(a), "copy_b": _luma(b)}
    rows = stored_rows(shared_dir)[pair]
    assert len(rows) == 5
    for row in rows:
        # 1e-6: what the stored values promise. Ours are as near for pictures that are made anew, since the package
        # makes the same bytes; 1e-3 is allowed there.
        method, tolerance = row["method"], 1e-6 if row["method"] in copies else 1e-3
        fused = copies.get(method)
        if fused is None:
            fused = _tensor(fuse(path_a, path_b, model=method, options=FuseOptions(grey=True)).image)
        got = six(fused, a, b, data_range=255)
        assert {n: got[n] for n in NAMES} == {n: pytest.approx(float(row[n]), abs=tolerance) for n in NAMES}, method


def _tensor(picture: Array) -> Tensor:
    """(1, C, H, W) float64 on the scale 0..255."""
    return torch.from_numpy(np.atleast_3d(picture)).permute(2, 0, 1)[None].double()


def _luma(x: Tensor) -> Tensor:
    return x if x.shape[1] == 1 else (0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2])[:, None]


def as_the_definition_reads(fused: Array, a: Array, b: Array) -> dict[str, float]:
    """The six numbers, with a window for each pixel."""
    rows: list[list[float]] = []
    while len(rows) < 4 and min(fused.shape) >= 11:
        windows = [
            np.lib.stride_tricks.sliding_window_view(np.pad(x, 5, mode="reflect"), (11, 11)).reshape(*x.shape, 121)
            for x in (fused, a, b)
        ]
        f, one, other = (w - w.mean(axis=-1, keepdims=True) for w in windows)
        var_f, var_a, var_b = ((x * x).mean(axis=-1) for x in (f, one, other))
        of_a = var_a >= var_b
        var = np.where(of_a, var_a, var_b)
        cov = np.where(of_a, (f * one).mean(axis=-1), (f * other).mean(axis=-1))
        kept = np.clip(cov / (np.sqrt(var * var_f) + 1e-5), 0, 1)
        kept = kept * np.minimum(1, np.sqrt((var_f + 1e-5) / (var + 1e-5)))
        contrast = np.sqrt(var)
        places = (np.ones_like(of_a), of_a, ~of_a)
        visible = contrast > 0.06
        with np.errstate(invalid="ignore"):
            row = [(kept * contrast)[place].sum() / contrast[place].sum() for place in places]
            row += [(visible & (kept < 0.4))[place].sum() / visible[place].sum() for place in places]
        rows.append(row)
        height, width = (side // 2 * 2 for side in fused.shape)
        fused, a, b = (
            x[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) for x in (fused, a, b)
        )
    return dict(zip(NAMES, np.nanmean(rows, axis=0), strict=True))


@pytest.mark.parametrize("size", [(96, 101), (47, 23), (11, 12)])
def test_numbers_are_those_of_the_definition(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    a, b = rng.random(size), rng.random(size)
    a[:, size[1] // 2 :] *= 0.2
    b[: size[0] // 3] *= 0.1
    fused = np.maximum(a, 0.7 * b) + 0.2 * rng.random(size)
    levels = [np.round(255 * x / x.max()) for x in (fused, a, b)]
    got = six(*(torch.from_numpy(x)[None, None] for x in levels), data_range=255)
    # 1e-12: the windows above subtract their mean first, ours the square of the mean
    assert got == pytest.approx(as_the_definition_reads(*(x / 255 for x in levels)), abs=1e-12)


def sides() -> tuple[Tensor, Tensor]:
    """a with structure on the left alone and b with as much on the right alone, (1, 1, 64, 96) in [0, 1]."""
    noise = torch.rand(2, 1, 1, 64, 96, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    a, b = torch.full((2, 1, 1, 64, 96), 0.5, dtype=torch.float64)
    a[..., :48], b[..., 48:] = noise[0, ..., :48], noise[1, ..., 48:]
    return a, b


def test_copy_keeps_its_own_source_and_loses_the_other() -> None:
    a, b = sides()
    found = six(a, a, b)
    assert found["VIS_a"] == pytest.approx(1, abs=2e-3)  # the constant 1e-5
    assert found["LOST_a"] == 0
    assert found["LOST_b"] > 0.9
    assert float(lostmax(a, a, b)) == found["LOST_b"]


def test_picture_with_both_structures_loses_nothing() -> None:
    a, b = sides()
    both = torch.cat([a[..., :48], b[..., 48:]], dim=-1)
    assert float(lostmax(both, a, b)) == 0
    assert float(vis(both, a, b)) > 0.95  # less than 1 where the halves meet


def test_turned_structure_is_lost() -> None:
    a, b = sides()
    assert float(lost(1 - a, a, b)) > 0.9


def test_brightness_counts_for_nothing() -> None:
    a, b = sides()
    darker = (a + b) / 2
    assert six(darker * 0.9 + 0.1, a * 0.9, b * 0.9) == pytest.approx(six(darker * 0.9, a * 0.9, b * 0.9), abs=1e-9)


def test_luma_is_not_rounded() -> None:
    rng = torch.Generator().manual_seed(4)
    colour = torch.randint(0, 256, (1, 3, 40, 40), generator=rng, dtype=torch.uint8)
    a = torch.randint(0, 256, (1, 1, 40, 40), generator=rng, dtype=torch.uint8)
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(1, 3, 1, 1)
    luma = (colour.double() * weights).sum(dim=1, keepdim=True)
    exact = float(vis(a.double(), a.double() // 4, luma, data_range=255))
    assert float(vis(a, a // 4, colour)) == pytest.approx(exact, abs=1e-12)
    assert float(vis(a.double(), a.double() // 4, luma.round(), data_range=255)) != pytest.approx(exact, abs=1e-6)


def test_sources_without_structure_have_no_value_and_it_is_said_why() -> None:
    flat = torch.full((1, 1, 32, 32), 90, dtype=torch.uint8)
    busy = torch.randint(0, 256, flat.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    with pytest.warns(UndefinedMetricWarning, match=r"VIS\[canonical\] has no value .* no source has structure"):
        assert math.isnan(float(vis(busy, flat, flat)))
    with pytest.warns(UndefinedMetricWarning, match="nothing in the sources is visible"):
        assert math.isnan(float(lostmax(busy, flat, flat)))


def test_source_that_is_nowhere_stronger_has_no_term_and_does_not_decide() -> None:
    busy = torch.randint(0, 256, (1, 1, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    flat = torch.full_like(busy, 90)
    with pytest.warns(UndefinedMetricWarning):
        assert math.isnan(lost.terms(busy, busy, flat)[1].item())
    assert (float(lost(busy, busy, flat)), float(lostmax(busy, busy, flat))) == (0, 0)
    assert float(lostmax(flat, busy, flat)) == 1


def test_scale_with_nothing_visible_is_left_out_of_the_mean() -> None:
    noise = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    a, fused = 0.5 + 0.3 * (noise - 0.5), torch.full_like(noise, 0.5)
    # The standard deviation is 0.087 at scale 0 and 0.043, below 0.06, at scale 1: scale 0 alone counts.
    assert float(lost(fused, a, fused)) == 1


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many pictures were measured so far."""
    calls = []

    def scales(picture: Tensor) -> tuple[ops.Scale, ...]:
        calls.append(picture.shape)
        return ops.scales(picture)

    monkeypatch.setattr(import_module("polyfuse.metrics.vis"), "scales", scales)
    return lambda: len(calls)


def test_three_metrics_and_many_results_measure_each_picture_once(counted: Callable[[], int]) -> None:
    a, b = sides()
    first = prepare((a + b) / 2, a, b, find_protocol("canonical"), data_range=None, clip=False)
    for metric in (vis, lost, lostmax):
        metric.value(first, "canonical")
        metric.one_sided(first, "canonical")
    assert counted() == 3
    other = prepare(torch.maximum(a, b), a, b, find_protocol("canonical"), data_range=None, clip=False)
    again = float(vis.value(Statistics.of(other.fused, first.a, first.b), "canonical"))
    assert counted() == 4
    assert again == float(vis(torch.maximum(a, b), a, b))
