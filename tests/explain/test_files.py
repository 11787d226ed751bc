"""The folder that a person gets, through the library and through the command."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from polyfuse.cli import run
from polyfuse.errors import DependencyError, OutputError
from polyfuse.explain import Explanation, check_ready, save
from polyfuse.families.fnet.network import FNet
from polyfuse.weights.store import WeightsInfo, save_weights

PICTURES = [
    "overview.png",
    "contribution_u.png",
    "contribution_v.png",
    "contribution_z.png",
    "code_u.png",
    "code_v.png",
    "code_z.png",
    "thresholds.png",
    "histograms.png",
]


@pytest.fixture(scope="module")
def folder(explanation: Explanation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the explanation was saved."""
    path = tmp_path_factory.mktemp("out") / "made" / "for it"
    assert [p.name for p in save(explanation, path)] == [*PICTURES, "numbers.json"]
    return path


@pytest.fixture(scope="module")
def weights(network: FNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as a weights file."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    info = WeightsInfo("fnet.random", "fnet", network.config.to_json())
    save_weights(path, network.state_dict(), info)
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_complete_and_of_a_size_to_look_at(folder: Path, name: str) -> None:
    with Image.open(folder / name) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert 800 <= pixels.shape[1] <= 2000
    assert pixels.std() > 5
    assert (folder / name).stat().st_size < 2_000_000


def test_nothing_else_is_left_in_the_folder(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted([*PICTURES, "numbers.json"])


@pytest.mark.slow
def test_the_same_explanation_gives_the_same_bytes(folder: Path, explanation: Explanation, tmp_path: Path) -> None:
    differing = [p.name for p in save(explanation, tmp_path) if p.read_bytes() != (folder / p.name).read_bytes()]
    assert differing == []


def test_numbers_hold_what_the_page_promises(folder: Path) -> None:
    numbers = json.loads((folder / "numbers.json").read_text(encoding="utf-8"))
    assert (numbers["schema"], numbers["null_below"], numbers["explained_size"]) == (
        1,
        1e-3,
        {"width": 26, "height": 18},
    )
    assert list(numbers["blocks"]) == ["u", "v", "z"]
    for block in numbers["blocks"].values():
        assert (block["channels"], len(block["strongest_channels"])) == (64, 16)
        assert [estimate["k"] for estimate in block["estimates"]] == [0, 1, 2, 3, 4]
        shares = [value for e in block["estimates"] for name, value in e.items() if "share" in name]
        assert len(shares) == 15
        assert all(0 <= share <= 1 for share in shares)


def test_numbers_hold_the_learned_thresholds(folder: Path, network: FNet) -> None:
    numbers = json.loads((folder / "numbers.json").read_text(encoding="utf-8"))
    thresholds = [estimate["threshold"] for estimate in numbers["blocks"]["v"]["estimates"]]
    assert thresholds == network.coder_v.thresholds().tolist()


def test_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(OutputError, match="not empty: pass --overwrite"):
        check_ready(tmp_path)


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        check_ready(tmp_path / "file", overwrite=True)


def test_missing_matplotlib_is_one_line_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, explanation: Explanation, tmp_path: Path
) -> None:
    real = builtins.__import__

    def without_matplotlib(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(DependencyError, match=r'pip install "polyfuse\[plots\]"'):
        list(save(explanation, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_command_prints_the_paths_and_nothing_else(
    pair: tuple[Path, Path], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["explain", *map(str, pair), "-o", str(out), "--model", "fnet", "--weights", str(weights)]
    assert run(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(out / name) for name in [*PICTURES, "numbers.json"]]
    assert printed.err == ""


def test_command_tells_a_note_on_stderr_unless_quiet(
    pair: tuple[Path, Path], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("polyfuse.explain.save", lambda *_, **__: [])
    arguments = ["explain", *map(str, pair), "-o", str(tmp_path), "--weights", str(weights), "--max-side", "13"]
    assert (run(arguments), run([*arguments, "--quiet"])) == (0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "explained at 13x9, the pictures have 26x18: --max-side 0 takes them as they are"
    ]


def test_command_refuses_a_model_with_nothing_to_show_before_writing(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *map(str, pair), "-o", str(tmp_path / "out"), "--model", "average"]) == 2
    assert "polyfuse: model average has nothing to show but its result" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_command_refuses_a_folder_in_use(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", *map(str, pair), "-o", str(pair[0].parent)]) == 5
    assert "not empty" in capsys.readouterr().err


def test_command_and_library_reduce_pictures_alike() -> None:
    from polyfuse.cli.explain import DEFAULT_MAX_SIDE as OF_COMMAND
    from polyfuse.explain.pair import DEFAULT_MAX_SIDE as OF_LIBRARY

    assert OF_COMMAND == OF_LIBRARY
