"""What papers claim, measured over folders: numbers, verdicts, tables and the command."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse.cli import run
from polyfuse.errors import InputError, UsageError
from polyfuse.explain import Estimate, Explanation, claims_text, explain, measure_claims
from polyfuse.explain.claims import estimate
from polyfuse.families.daefuse import explained as daefuse_explained
from polyfuse.families.fnet import explained as fnet_explained
from polyfuse.families.fnet.explained.claims import BEYOND, LARGE
from polyfuse.families.fnet.network import FNet
from polyfuse.families.smfnet import SMFNet
from polyfuse.families.smfnet import explained as smfnet_explained
from polyfuse.families.spec import FusionModel
from polyfuse.io import find_pairs, write_picture
from polyfuse.registry import load

NUM_PAIRS = 3
TABLES = ["claims.csv", "statistics.csv", "pairs.csv"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of three pairs."""
    planes = np.random.default_rng(6).integers(0, 256, (2, NUM_PAIRS, 18, 26), np.uint8)
    folder = tmp_path_factory.mktemp("pairs")
    for name, side in zip(("ir", "vi"), planes, strict=True):
        for index, plane in enumerate(side):
            write_picture(folder / name / f"{index}.png", plane)
    return folder / "ir", folder / "vi"


@pytest.fixture(scope="module")
def arguments(
    folders: tuple[Path, Path], small_smfnet: Callable[..., SMFNet], weights_of: Callable[[FusionModel], Path]
) -> list[str]:
    """What the command needs to measure the folders with a small SMFNet."""
    return ["explain", *map(str, folders), "--model", "smfnet", "--weights", str(weights_of(small_smfnet()))]


def two_planes() -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 1, 1, 20, 28, generator=torch.Generator().manual_seed(2))
    return a, b


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.2, 0.3, 0.1], "holds"),
        ([-0.2, -0.3, -0.1], "does not hold"),
        ([-0.2, 0.3, 0.1], "not decided"),
        ([0.5], "not decided"),
        ([math.nan], "not decided"),
        ([0.0, 0.0], "not decided"),
    ],
)
def test_the_interval_decides(values: list[float], verdict: str) -> None:
    assert estimate(values).verdict == verdict


def test_pairs_without_a_value_are_left_out() -> None:
    assert estimate([1.0, math.nan, 1.0]) == Estimate(1.0, 1.0, 1.0, 2)


def test_smfnet_measures_the_correlations_that_it_explains(small_smfnet: Callable[..., SMFNet]) -> None:
    model, (a, b) = small_smfnet(), two_planes()
    tensors, measured = model.explain(a, b), smfnet_explained.measure(model, a, b)
    assert {branch: m["correlation"] for branch, m in measured.items()} == {
        branch: float(tensors[f"correlation_{branch}"]) for branch in ("base", "detail", "graph")
    }


def test_claims_about_a_missing_graph_are_not_asked(
    folders: tuple[Path, Path], small_smfnet: Callable[..., SMFNet]
) -> None:
    report = measure_claims(find_pairs(*folders), small_smfnet(graph=False))
    assert len(report.claims) == 3
    assert not any("graph" in claim.text for claim, _ in report.claims)


def test_margins_of_smfnet_by_hand() -> None:
    measured = {"base": {"correlation": 0.6}, "detail": {"correlation": -0.3}, "graph": {"correlation": 0.1}}
    margins = [claim.margin(measured) for claim in smfnet_explained.CLAIMS]
    assert margins == pytest.approx([0.3, 0.5, 0.1, -0.1, 0.1], abs=1e-12)


def test_fnet_measures_what_all_estimates_at_once_give(network: FNet) -> None:
    a, b = two_planes()
    tensors, measured = network.explain(a, b), fnet_explained.measure(network, a, b)
    assert list(measured) == [f"{block}.{k}" for block in "uvz" for k in range(5)]
    for place, values in measured.items():
        block, k = place.split(".")
        before, after = tensors[f"before_{place}"].abs(), tensors[f"after_{place}"].abs()
        threshold = float(tensors[f"thresholds_{block}"][int(k)])
        is_large = before > LARGE * threshold + BEYOND
        assert values["threshold"] == threshold
        assert values["null after"] == float((after < 1e-3).double().mean())
        assert ("kept" in values) == bool(is_large.any())
        if is_large.any():
            kept = float(after[is_large].double().sum() / before[is_large].double().sum())
            assert values["kept"] == pytest.approx(kept, rel=1e-9)  # order of the sums
    assert any("kept" in values for values in measured.values())


def test_margins_of_fnet_by_hand() -> None:
    rows = [(0.3, 0.1, 0.9, 1.0), (0.2, 0.1, 0.4, 0.9)]
    names = ("threshold", "null before", "null after", "kept")
    measured = {f"{block}.{k}": dict(zip(names, row, strict=True)) for block in "uvz" for k, row in enumerate(rows)}
    margins = [claim.margin(measured) for claim in fnet_explained.CLAIMS[:5]]
    assert margins == pytest.approx([0.1, 0.3, -0.05, 0.4, -0.1], abs=1e-12)


def test_dae_fuse_measures_bands_that_add_up_and_the_entropies(small_dae_fuse: Callable[..., FusionModel]) -> None:
    model, (a, b) = small_dae_fuse(), two_planes()
    measured = daefuse_explained.measure(model, a, b)
    assert list(measured) == [
        "source a", "high a", "low a", "source b", "high b", "low b", "attention a", "attention b"
    ]  # fmt: skip
    sums = [sum(values.values()) for place, values in measured.items() if not place.startswith("attention")]
    assert sums == pytest.approx([1.0] * 6, abs=1e-5)  # float32
    assert 0 < measured["attention a"]["entropy"] <= 1


def test_margins_of_dae_fuse_by_hand() -> None:
    lowest = {"source a": 0.8, "high a": 0.6, "low a": 0.9}
    measured = {place: {"to 1/16": share} for place, share in lowest.items()} | {"attention a": {"entropy": 0.9}}
    margins = [claim.margin(measured) for claim in daefuse_explained.CLAIMS[:4]]
    assert margins == pytest.approx([0.3, 0.2, 0.1, 0.07], abs=1e-12)


def test_one_encoder_is_asked_only_what_it_can_answer(
    folders: tuple[Path, Path], small_dae_fuse: Callable[..., FusionModel]
) -> None:
    report = measure_claims(find_pairs(*folders), small_dae_fuse(branches="cnn", cross_attention=False))
    assert [claim.text for claim, _ in report.claims] == [
        "detail features of a are finer than the picture",
        "detail features of b are finer than the picture",
    ]


@pytest.mark.parametrize("name", ["average", "fnet-t.road"])
def test_a_model_without_claims_says_so(folders: tuple[Path, Path], name: str) -> None:
    with pytest.raises(UsageError, match=rf"model {name} comes with no claims .*: name one of .*smfnet-s\.road"):
        measure_claims(find_pairs(*folders), load(name))


def test_a_number_that_is_not_finite_names_pair_and_place(
    folders: tuple[Path, Path], small_smfnet: Callable[..., SMFNet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smfnet_explained, "measure", lambda *_: {"base": {"correlation": math.nan}})
    with pytest.raises(InputError, match="0: correlation of base is nan: check the weights"):
        measure_claims(find_pairs(*folders), small_smfnet())


def test_a_place_without_a_quantity_stands_in_the_same_table(
    folders: tuple[Path, Path], small_smfnet: Callable[..., SMFNet], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"base": {"correlation": 0.5, "more": 1.0}, "detail": {"correlation": 0.25}}
    monkeypatch.setattr(smfnet_explained, "measure", lambda *_: values)
    lines = claims_text(measure_claims(find_pairs(*folders), small_smfnet())).splitlines()
    assert [line.split() for line in lines[3:7] if "─" not in line] == [
        ["correlation", "more"], ["base", "0.500", "1.000"], ["detail", "0.250", "n/a"]
    ]  # fmt: skip


def test_command_prints_the_table_and_writes_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("smfnet.random: what its paper claims, on 3 pairs\n")
    assert "base features correlate more than detail features (1)" in printed.out
    assert printed.err == ""
    assert list(tmp_path.iterdir()) == []


def test_command_writes_tables_that_agree_with_its_json(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run([*arguments, "-o", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"] == [str(out / name) for name in TABLES]
    assert sorted(path.name for path in out.iterdir()) == sorted(TABLES)
    texts = [(out / name).read_text(encoding="utf-8").splitlines() for name in TABLES]
    claims, statistics, pairs = (list(csv.DictReader(lines)) for lines in texts)
    assert [(row["claim"], row["verdict"]) for row in claims] == [
        (claim["claim"], claim["verdict"]) for claim in document["claims"]
    ]
    for row in statistics:
        assert float(row["mean"]) == document["statistics"][row["place"]][row["quantity"]]["mean"]
        own = [float(r["value"]) for r in pairs if (r["place"], r["quantity"]) == (row["place"], row["quantity"])]
        assert len(own) == NUM_PAIRS
        assert float(row["mean"]) == pytest.approx(np.mean(own), rel=1e-12)
        assert min(own) <= float(row["low"]) <= float(row["mean"]) <= float(row["high"]) <= max(own)


def test_the_same_command_prints_the_same(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(arguments), run(arguments)) == (0, 0)
    text = capsys.readouterr().out
    assert text[: len(text) // 2] == text[len(text) // 2 :]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Drawing only notes the folder, for matplotlib takes long; returns the folders."""
    noted: list[Path] = []

    def save(explanation: Explanation, folder: Path, **_: object) -> list[Path]:
        noted.append(folder)
        return [folder / "overview.png"]

    monkeypatch.setattr("polyfuse.explain.save", save)
    return noted


def test_command_draws_pairs_of_folders_when_asked(arguments: list[str], tmp_path: Path, drawn: list[Path]) -> None:
    assert run([*arguments, "-o", str(tmp_path), "--quiet"]) == 0
    assert drawn == []
    assert run([*arguments, "-o", str(tmp_path), "--draw", "--overwrite", "--quiet"]) == 0
    assert drawn == [tmp_path / name for name in "012"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: [*a, "--draw"], "--draw has nowhere to draw to"),
        (lambda a: [a[0], f"{a[1]}/0.png", f"{a[2]}/0.png", *a[3:], "--draw"], "--draw is for folders"),
        (lambda a: [*a[:3], "--model", "fnet-t.road"], "comes with no claims"),
    ],
    ids=["draw to nowhere", "draw a pair", "no claims"],
)
def test_command_refuses_what_makes_no_sense(
    arguments: list[str], change: Callable[[list[str]], list[str]], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(change(arguments)) == 2
    assert message in capsys.readouterr().err


def test_command_refuses_tables_that_are_there_before_any_work(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TABLES[0]).touch()
    assert run([*arguments, "-o", str(tmp_path)]) == 5
    assert f"holds {TABLES[0]} already: pass --overwrite" in capsys.readouterr().err
    assert run([*arguments, "-o", str(tmp_path), "--overwrite", "--quiet"]) == 0


def test_command_refuses_pairs_of_two_sizes_before_any_work(
    arguments: list[str], folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(NUM_PAIRS):
        write_picture(tmp_path / f"{index}.png", np.zeros((18, 26 + index), np.uint8))
    assert run(["explain", str(folders[0]), str(tmp_path), *arguments[3:]]) == 3
    assert "sizes differ for 1: 26x18 and 27x18; 2: 26x18 and 28x18" in capsys.readouterr().err


def test_json_of_a_pair_holds_its_numbers_and_files(
    arguments: list[str], tmp_path: Path, drawn: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [f"{arguments[1]}/0.png", f"{arguments[2]}/0.png"]
    assert run(["explain", *pair, *arguments[3:], "-o", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document.pop("files") == [str(tmp_path / "overview.png")]
    model = load("smfnet", weights=Path(arguments[-1]))
    assert document == json.loads(json.dumps(explain(*pair, model=model).numbers()))
