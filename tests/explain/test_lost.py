"""`explain --lost`: the maps and numbers of what is gone, of any model and of pictures made elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import evaluate, fuse
from polyfuse.cli import run
from polyfuse.drawing.canvas import Canvas
from polyfuse.errors import InputError
from polyfuse.explain import Explanation, LostFindings, explain_lost
from polyfuse.io import write_picture

Pixels = NDArray[np.uint8]
NAMES = ("VIS", "LOST", "LOSTmax")


@pytest.fixture(scope="module")
def sides() -> tuple[Pixels, Pixels]:
    """a with structure on the left alone and b, in colour, with as much on the right alone; 96x64."""
    noise = np.random.default_rng(4).integers(0, 256, (2, 64, 96), np.uint8)
    a, b = np.full((64, 96), 120, np.uint8), np.full((64, 96, 3), 120, np.uint8)
    a[:, :48] = noise[0, :, :48]
    b[:, 48:] = (noise[1, :, 48:, None] * np.array([0.9, 0.5, 0.7])).astype(np.uint8)
    return a, b


@pytest.fixture(scope="module")
def files(sides: tuple[Pixels, Pixels], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """a, b, and b as a fused picture, as files."""
    folder = tmp_path_factory.mktemp("sides")
    a, b = sides
    return tuple(write_picture(folder / f"{n}.png", p) for n, p in {"a": a, "b": b, "theirs": b}.items())  # type: ignore[return-value]


def findings_of(explanation: Explanation) -> LostFindings:
    assert isinstance(explanation.findings, LostFindings)
    return explanation.findings


def test_copy_of_b_has_lost_a_where_a_has_structure(sides: tuple[Pixels, Pixels]) -> None:
    found = findings_of(explain_lost(*sides, fused=sides[1]))
    finest = found.scales[0]
    assert finest.lost_a.shape == (64, 96)
    assert finest.lost_a[:, :42].all()
    assert not finest.lost_a[:, 54:].any()
    assert not any(scale.lost_b.any() for scale in found.scales)
    assert [scale.lost_a.shape for scale in found.scales] == [(64, 96), (32, 48), (16, 24)]


@pytest.mark.parametrize("model", ["average", "maximum", "fnet-t16.road"])
def test_measures_are_those_of_evaluate_for_models_without_explanation(
    model: str, files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    explanation = explain_lost(*files[:2], model=model)
    fused = write_picture(tmp_path / "fused.png", fuse(*files[:2], model=model).image)
    scored = evaluate(fused, *files[:2], metrics=NAMES).values
    shares = findings_of(explanation).shares
    # 1e-12: sums of another order
    assert {name: shares[name] for name in NAMES} == {name: pytest.approx(scored[name], abs=1e-12) for name in NAMES}
    assert explanation.record["model"] == model
    again = findings_of(explain_lost(*files[:2], fused=fused))
    assert again.shares == shares


def test_shares_are_means_over_the_scales(sides: tuple[Pixels, Pixels]) -> None:
    found = findings_of(explain_lost(*sides, model="average"))
    by_scale = [scale.shares["VIS"] for scale in found.scales]
    assert found.shares["VIS"] == pytest.approx(np.mean(np.asarray(by_scale, float)), abs=1e-12)


def coloured(canvas: Canvas) -> tuple[int, int]:
    """How many pixels of the pictures on a sheet are orange, and how many violet."""
    orange = violet = 0
    for axes in canvas.figure.axes:
        pixels = np.asarray(axes.images[0].get_array()).astype(int)
        if pixels.ndim == 3:
            red, green, blue = pixels.transpose(2, 0, 1)
            orange += int(((red - green > 20) & (green - blue > 20)).sum())
            violet += int(((blue - green > 20) & (blue - red > 10)).sum())
    return orange, violet


@pytest.mark.parametrize("kept", ["a", "b"])
def test_colour_tells_which_source_is_lost(kept: str, sides: tuple[Pixels, Pixels]) -> None:
    pytest.importorskip("matplotlib")
    a, b = sides[0], sides[1].mean(axis=2).astype(np.uint8)
    explanation = explain_lost(a, b, fused=a if kept == "a" else b)
    sheets = dict(explanation.draw(explanation, explanation.findings))
    assert list(sheets) == ["overview", "lost"]
    for sheet in sheets.values():
        orange, violet = coloured(sheet)
        lost, other = (violet, orange) if kept == "a" else (orange, violet)
        assert lost > 2000  # nearly half of 96x64
        assert other == 0


def test_odd_sizes_are_drawn(sides: tuple[Pixels, Pixels]) -> None:
    pytest.importorskip("matplotlib")
    a, b = (picture[:25, :47] for picture in sides)
    explanation = explain_lost(a, b, model="average")
    assert [name for name, _ in explanation.draw(explanation, explanation.findings)] == ["overview", "lost"]


def test_pictures_are_taken_as_they_are_unless_a_limit_is_given(sides: tuple[Pixels, Pixels]) -> None:
    reduced = explain_lost(*sides, fused=sides[1], max_side=48)
    assert findings_of(reduced).scales[0].lost_a.shape == (32, 48)
    assert any("explained at 48x32" in note for note in reduced.notes)
    assert explain_lost(*sides, fused=sides[1]).notes == ()


def test_fused_picture_of_another_size_is_refused(files: tuple[Path, Path, Path], sides: tuple[Pixels, Pixels]) -> None:
    with pytest.raises(InputError, match="fused is 96x63 but the sources are 96x64"):
        explain_lost(*files[:2], fused=sides[1][:63])


def test_pictures_below_the_window_are_refused() -> None:
    small = np.zeros((10, 40), np.uint8)
    with pytest.raises(InputError, match="40x10: what is lost is judged in boxes of 11x11"):
        explain_lost(small, small, fused=small)


def test_sources_without_structure_have_null_in_the_numbers() -> None:
    flat = np.full((20, 20), 9, np.uint8)
    numbers = explain_lost(flat, flat, fused=flat).numbers()
    assert set(numbers["measures"].values()) == {None}
    json.dumps(numbers, allow_nan=False)


def test_command_draws_what_a_picture_made_elsewhere_lost(
    files: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    arguments = ["explain", *map(str, files[:2]), "--lost", "--fused", str(files[2]), "-o", str(out)]
    assert run(arguments) == 0
    assert capsys.readouterr().out.split() == [str(out / n) for n in ("overview.png", "lost.png", "numbers.json")]
    numbers = json.loads((out / "numbers.json").read_text(encoding="utf-8"))
    assert numbers["measures"]["LOST_b"] == 0
    assert numbers["measures"]["LOSTmax"] > 0.9
    assert [entry["scale"] for entry in numbers["scales"]] == [0, 1, 2]
    assert numbers["model"] is None
    assert numbers["fused"]["path"] == str(files[2])
    assert len(numbers["fused"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fused", "x.png"], "pass --lost as well"),
        (["--lost", "--fused", "x.png", "--model", "average"], "drop --model"),
        (["--lost", "--fused", "x.png", "--border", "zeros"], "drop --model"),
        (["--lost", "--fused", "x.png", "--device", "cuda"], "drop --model, --weights, --device"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: list[str], message: str, files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *map(str, files[:2]), *options]) == 2
    assert message in capsys.readouterr().err


def test_fused_picture_is_never_written_over(
    files: tuple[Path, Path, Path], sides: tuple[Pixels, Pixels], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    theirs = write_picture(tmp_path / "lost.png", sides[1])
    before = theirs.read_bytes()
    arguments = ["explain", *map(str, files[:2]), "--lost", "--fused", str(theirs), "-o", str(tmp_path), "--overwrite"]
    assert run(arguments) == 5
    assert theirs.read_bytes() == before
