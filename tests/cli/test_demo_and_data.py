"""`polyfuse demo` and `polyfuse data`: what they draw, that a seed fixes it, that nothing is replaced."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyfuse.io import read_picture

Runner = Callable[..., Any]
SMALL = ("--size", "48x40")


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_demo_writes_sources_result_and_sheet(polyfuse: Runner) -> None:
    ran = polyfuse("demo", "--model", "average")
    assert (ran.code, ran.err) == (0, [])
    assert ran.out == [f"polyfuse-demo/{name}.png" for name in ("ir", "vi", "fused", "sheet")]
    ir, vi, fused, sheet = (read_picture(path) for path in ran.out)
    assert (ir.is_grey, vi.is_grey, fused.is_grey) == (True, False, False)
    assert (sheet.height, sheet.width) == (ir.height, 3 * ir.width + 16)


def test_demo_replaces_nothing(polyfuse: Runner) -> None:
    Path("polyfuse-demo").mkdir()
    Path("polyfuse-demo/ir.png").write_text("mine")
    ran = polyfuse("demo", "--model", "average")
    assert (ran.code, ran.out) == (5, [])
    assert "polyfuse-demo/ir.png exists: pass --overwrite" in ran.problem


def test_data_draws_pairs_masks_and_boxes(polyfuse: Runner) -> None:
    ran = polyfuse("data", "synthetic", "-o", "out", *SMALL, "--seed", "4", "--count", "2")
    assert (ran.code, ran.err) == (0, [])
    kinds = ("ir", "vi", "classes", "instances")
    assert ran.out == [
        *(f"out/{kind}/street_{seed}.png" for seed in ("0004", "0005") for kind in kinds),
        "out/truth.json",
    ]
    assert {(picture.width, picture.height) for picture in map(read_picture, ran.out[:-1])} == {(48, 40)}
    assert [entry["name"] for entry in json.loads(Path("out/truth.json").read_text())["pictures"]] == [
        "street_0004",
        "street_0005",
    ]


@pytest.mark.parametrize("kind", ["street", "yard"])
def test_same_seed_gives_the_same_bytes(kind: str, polyfuse: Runner) -> None:
    for folder in ("1", "2"):
        polyfuse("data", "synthetic", "-o", folder, *SMALL, "--kind", kind)
    assert contents("1") == contents("2") != {}


def test_another_seed_gives_another_scene(polyfuse: Runner) -> None:
    polyfuse("data", "synthetic", *SMALL, "--count", "2")
    assert Path("scenes/vi/street_0000.png").read_bytes() != Path("scenes/vi/street_0001.png").read_bytes()


def test_sixteen_bits_are_deep_tiffs(polyfuse: Runner) -> None:
    ran = polyfuse("data", "synthetic", *SMALL, "--bit-depth", "16")
    assert [read_picture(path).depth for path in ran.out[:2]] == [16, 16]
    assert Path(ran.out[0]).suffix == ".tif"


def test_frames_are_numbered_and_fuse_as_a_folder(polyfuse: Runner) -> None:
    polyfuse("data", "synthetic", "-o", "clip", *SMALL, "--frames", "3")
    ran = polyfuse("fuse", "clip/ir", "clip/vi", "--model", "average")
    assert ran.out == [f"fused/street_0000_{frame:04}.png" for frame in range(3)]


def test_data_replaces_nothing(polyfuse: Runner) -> None:
    polyfuse("data", "synthetic", *SMALL)
    before = contents("scenes")
    ran = polyfuse("data", "synthetic", *SMALL, "--seed", "0")
    assert ran.code == 5
    assert "scenes/ir/street_0000.png exists: pass --overwrite" in ran.problem
    assert contents("scenes") == before


@pytest.mark.parametrize(("size", "code"), [("6x8", 3), ("big", 2), ("64", 2), ("99999x40", 3)])
def test_size_nobody_can_draw_is_refused(size: str, code: int, polyfuse: Runner) -> None:
    ran = polyfuse("data", "synthetic", "--size", size)
    assert ran.code == code
    assert size.split("x")[0] in ran.problem
    assert not Path("scenes").exists()
