"""One fused picture: what may be given, what comes back."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation import choose_metrics, evaluate
from polyfuse.io import write_picture
from polyfuse.metrics import METRICS, score

Scenes = Callable[..., tuple[Path, Path, dict[str, Path]]]


def pictures(rng: np.random.Generator, size: tuple[int, ...] = (48, 52)) -> tuple[Any, Any, Any]:
    return tuple(rng.integers(0, 256, size, dtype=np.uint8) for _ in range(3))  # type: ignore[return-value]


def test_paths_arrays_and_tensors_give_the_same_numbers(scenes: Scenes) -> None:
    from polyfuse.io import read_picture

    a, b, methods = scenes(1)
    paths = [folder / "0.png" for folder in (methods["mix"], a, b)]
    arrays = [read_picture(path).array for path in paths]
    tensors = [torch.from_numpy(array)[None, None].float() / 255 for array in arrays]
    of_paths = evaluate(*paths, metrics=["MI", "VIF", "SSIM"])
    assert of_paths == evaluate(*arrays, metrics=["MI", "VIF", "SSIM"])
    assert of_paths == evaluate(*tensors, metrics=["MI", "VIF", "SSIM"])


def test_values_are_those_of_score(rng: np.random.Generator) -> None:
    fused, a, b = pictures(rng)
    found = evaluate(fused, a, b, metrics=["EN", "MI", "Qabf"])
    tensors = [torch.from_numpy(x)[None, None] for x in (fused, a, b)]
    expected = score(*tensors, metrics=["EN", "MI", "Qabf"], terms=["MI"])
    assert found.values == {name: float(value) for name, value in expected.values.items()}
    one, other = map(float, expected.terms["MI"])
    assert found.lower["MI"] == min(one, other)
    assert found.balance["MI"] == pytest.approx(min(one, other) / max(one, other), rel=1e-12)


def test_only_the_five_two_sided_metrics_have_terms(rng: np.random.Generator) -> None:
    found = evaluate(*pictures(rng), metrics=["EN", "SCD", "CC", "SSIM", "VIF", "VIS", "LOST"])
    assert set(found.lower) == set(found.balance) == {"SSIM", "VIF", "VIS"}


@pytest.mark.parametrize("protocol", ["cddfuse", "vifb", "canonical"])
def test_our_own_measures_are_canonical_beside_every_protocol(protocol: str, rng: np.random.Generator) -> None:
    fused, a, b = pictures(rng, (48, 52, 3))
    found = evaluate(fused, a, b, metrics=["EN", "VIS", "LOST", "LOSTmax"], protocol=protocol)
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (fused, a, b)]
    names = ["VIS", "LOST", "LOSTmax"]
    expected = score(*tensors, metrics=names, terms=["VIS"], protocol="canonical")
    assert {name: found.values[name] for name in names} == {n: float(v) for n, v in expected.values.items()}
    assert found.lower["VIS"] == min(map(float, expected.terms["VIS"]))
    assert "VIS[canonical] ↑" in str(found)
    assert f"EN[{protocol}] ·" in str(found)


@pytest.mark.parametrize("names", [None, ["all"]], ids=["default", "all"])
def test_our_own_measures_are_scored_unless_others_are_asked_for(names: list[str] | None) -> None:
    chosen = [metric.name for metric in choose_metrics(names, "cddfuse")]
    assert [name for name in chosen if METRICS[name].everywhere] == ["VIS", "LOST", "LOSTmax", "FlatSD", "CD"]
    assert len(set(chosen)) == len(chosen)


def test_flat_noise_stands_beside_that_of_b(rng: np.random.Generator) -> None:
    fused, a, b = (picture // 32 + 100 for picture in pictures(rng))
    found = evaluate(fused, a, b, metrics=["FlatSD", "MI"])
    tensors = [torch.from_numpy(x)[None, None] for x in (fused, a, b)]
    assert found.of_b == {"FlatSD": float(METRICS["FlatSD"].terms(*tensors)[1])}
    assert "FlatSD" not in found.lower
    assert f"of b {found.of_b['FlatSD']:.5f}" in str(found)


def test_source_that_is_nowhere_stronger_has_no_lower_term(rng: np.random.Generator) -> None:
    fused, a, _ = pictures(rng)
    found = evaluate(fused, a, np.full_like(a, 90), metrics=["VIS"])
    assert math.isfinite(found.values["VIS"])
    assert math.isnan(found.lower["VIS"])
    assert found.notes == ("VIS[canonical] has no value, for no source has structure that could be kept or lost there: "
                           "leave it out of means.",)  # fmt: skip


def test_second_picture_of_a_pair_scores_as_if_it_were_alone(rng: np.random.Generator) -> None:
    from polyfuse.evaluation.scoring import Scorer

    fused, a, b = (torch.from_numpy(x)[None, None] for x in pictures(rng))
    metrics = choose_metrics(None, "cddfuse")
    scorer = Scorer(a, b, metrics, "cddfuse")
    scorer(a)
    assert scorer(fused) == Scorer(a, b, metrics, "cddfuse")(fused)


def test_grey_saved_as_colour_counts_three_channels_where_channels_are_scored(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    grey, a, b = pictures(rng)
    names = []
    for name, picture in {"f": grey, "a": a, "b": b}.items():
        from PIL import Image

        Image.fromarray(np.repeat(picture[..., None], 3, axis=2)).save(tmp_path / f"{name}.png")
        names.append(tmp_path / f"{name}.png")
    from_files = evaluate(*names, metrics=["SF"], protocol="vifb").values["SF"]
    channels = [torch.from_numpy(x).expand(1, 3, -1, -1) for x in (grey, a, b)]
    assert from_files == evaluate(*channels, metrics=["SF"], protocol="vifb").values["SF"]
    assert from_files != evaluate(grey, a, b, metrics=["SF"], protocol="vifb").values["SF"]


def test_undefined_value_is_nan_with_a_note(rng: np.random.Generator) -> None:
    _, a, b = pictures(rng)
    found = evaluate(a, a, b, metrics=["SCD", "EN"])
    assert math.isnan(found.values["SCD"])
    assert [note.split(" ")[0] for note in found.notes] == ["SCD[cddfuse]"]


def test_picture_smaller_than_a_window_is_nan_and_says_the_size(rng: np.random.Generator) -> None:
    found = evaluate(*pictures(rng, (20, 30)), metrics=["VIF"])
    assert math.isnan(found.values["VIF"])
    assert math.isnan(found.lower["VIF"])
    assert "41x41" in found.notes[0]


def test_16_bit_pictures_are_scored_on_the_same_scale(rng: np.random.Generator) -> None:
    fused, a, b = pictures(rng)
    deep = [x.astype(np.uint16) * 257 for x in (fused, a, b)]
    assert evaluate(*deep, metrics=["MI", "SD"]) == evaluate(fused, a, b, metrics=["MI", "SD"])


def test_size_mismatch_names_both_files(tmp_path: Path, rng: np.random.Generator) -> None:
    for name, size in {"f": (12, 10), "a": (12, 16), "b": (12, 16)}.items():
        write_picture(tmp_path / f"{name}.png", rng.integers(0, 256, size, dtype=np.uint8))
    with pytest.raises(InputError, match=r"f\.png is 10x12 but .*a\.png is 16x12"):
        evaluate(tmp_path / "f.png", tmp_path / "a.png", tmp_path / "b.png")


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 2), np.uint8), np.zeros((2, 1, 4, 4)), torch.zeros(2, 1, 4, 4)])
def test_what_is_no_picture_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="fused"):
        evaluate(wrong, np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), metrics=["EN"])


def test_array_of_a_strange_type_is_refused() -> None:
    with pytest.raises(InputError, match="fused holds"):
        evaluate(np.zeros((4, 4), "U1"), np.zeros((4, 4)), np.zeros((4, 4)), metrics=["EN"])


def test_default_metrics_are_all_but_the_slow_ones() -> None:
    names = [metric.name for metric in choose_metrics(None, "canonical")]
    assert names == [n for n, m in METRICS.items() if "canonical" in m.variants and m.cost != "d"]
    everything = [metric.name for metric in choose_metrics(["all"], "canonical")]
    assert everything == [n for n, m in METRICS.items() if "canonical" in m.variants]


def test_metric_asked_for_twice_is_computed_once() -> None:
    assert [metric.name for metric in choose_metrics(["mi", "EN", "MI"], "cddfuse")] == ["MI", "EN"]


def test_unknown_combination_says_what_exists() -> None:
    with pytest.raises(UsageError, match=r"cddfuse has no EI: it exists in .*vifb"):
        choose_metrics(["EI"], "cddfuse")


def test_printed_evaluation_has_protocol_arrow_and_balance(rng: np.random.Generator) -> None:
    lines = str(evaluate(*pictures(rng), metrics=["EN", "VIF"])).splitlines()
    assert lines[0].startswith("EN[cddfuse] · ")
    assert lines[1].startswith("VIF[cddfuse] ↑ ")
    assert " bal " in lines[1]


def test_notebook_shows_the_table_of_an_evaluation(rng: np.random.Generator) -> None:
    printer, evaluation = io.StringIO(), evaluate(*pictures(rng), metrics=["EN"])
    evaluation._repr_pretty_(SimpleNamespace(text=printer.write), cycle=False)
    assert printer.getvalue() == str(evaluation)
