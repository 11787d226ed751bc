"""`polyfuse align` as a command: what it writes, what it says, and how it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.alignment import read_warp
from polyfuse.alignment.warp import distorted
from polyfuse.cli import run
from polyfuse.io import read_picture, write_picture


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.png sees the middle of b.png, smaller by half, and reversed."""
    folder = tmp_path_factory.mktemp("cameras")
    rng = np.random.default_rng(4)
    plane = np.full((320, 400), 120, np.uint8)
    for _ in range(80):
        x, y, width, height = rng.integers(0, [400, 320, 60, 60])
        plane[y : y + height, x : x + width] = rng.integers(10, 245)
    reduced = plane[40:280, 40:360].reshape(120, 2, 160, 2).mean((1, 3))
    write_picture(folder / "a.png", np.rint(255 - reduced).astype(np.uint8))
    write_picture(folder / "b.png", plane)
    write_picture(folder / "even.png", np.full((320, 400), 90, np.uint8))
    return folder


@pytest.fixture(scope="session")
def warp(drawn: Path) -> Path:
    """The warp file of the two."""
    path = drawn / "warp.json"
    assert run(["align", str(drawn / "a.png"), str(drawn / "b.png"), "-o", str(path), "--quiet"]) == 0
    return path


def test_warp_file_says_how_a_lies_on_b(warp: Path) -> None:
    document = json.loads(warp.read_text(encoding="utf-8"))
    assert (document["size_a"], document["size_b"]) == ([160, 120], [400, 320])
    assert document["confidence"] > 0.5
    assert len(document["sources"]["a"][0]) == 64
    matrix = np.array(document["matrix"])
    corners = np.array([[0, 159, 0, 159], [0, 0, 119, 119], [1, 1, 1, 1]])
    there = matrix @ corners
    # pixel centres: the first of a covers the four of b from 40, 40 on
    assert there[:2] / there[2] == pytest.approx(corners[:2] * 2 + 40.5, abs=1.0)


def test_fuse_takes_the_warp_file(drawn: Path, warp: Path, tmp_path: Path) -> None:
    out = tmp_path / "fused.png"
    words = ["fuse", drawn / "a.png", drawn / "b.png", "--warp", warp, "-o", out, "--model", "average", "--quiet"]
    assert run([str(word) for word in words]) == 0
    assert out.exists()


def test_check_says_that_the_two_fit(drawn: Path, warp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["align", "--check", str(drawn / "a.png"), str(drawn / "b.png"), "--warp", str(warp), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["pairs"][0]
    assert facts["confidence"] > 0.5
    assert facts["median"] < 1


def test_check_of_other_sizes_asks_for_a_warp(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["align", "--check", str(drawn / "a.png"), str(drawn / "b.png")]) == 3
    assert "pass --warp" in capsys.readouterr().err


def test_what_is_not_sure_is_not_written(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "warp.json"
    assert run(["align", str(drawn / "a.png"), str(drawn / "even.png"), "-o", str(out), "--json"]) == 3
    captured = capsys.readouterr()
    assert "few edges" in captured.err
    assert json.loads(captured.out)["error"]["exit_code"] == 3
    assert not out.exists()


def test_points_give_a_warp_and_a_picture(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "points.csv"
    rows = [(10, 10), (150, 12), (140, 110), (20, 100)]
    table.write_text("".join(f"{x},{y},{2 * x + 40.5},{2 * y + 40.5}\n" for x, y in rows), encoding="utf-8")
    words = ["align", drawn / "a.png", drawn / "b.png", "--points", table, "--model", "similarity"]
    words += ["-o", tmp_path / "w.json", "--picture", tmp_path / "w.png"]
    assert run([str(word) for word in words]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "w.json"), str(tmp_path / "w.png")]
    matrix = np.array(json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))["matrix"])
    assert matrix == pytest.approx(np.array([[2, 0, 40.5], [0, 2, 40.5], [0, 0, 1]]), abs=1e-9)


def test_bad_points_are_refused_and_nothing_is_written(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "points.csv"
    table.write_text("1,1,40,40\n1,1,90,80\n", encoding="utf-8")
    words = ["align", drawn / "a.png", drawn / "b.png", "--points", table, "-o", tmp_path / "w.json"]
    assert run([str(word) for word in words]) == 3
    assert "one spot of a" in capsys.readouterr().err
    assert not (tmp_path / "w.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--points", "p.csv", "--board", "9x6"], "drop one"),
        (["--circles"], "pass --board"),
        (["--warp", "w.json"], "pass --check"),
        (["--check", "-o", "w.json"], "writes no warp"),
        (["--model", "shift"], "more than a shift"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    drawn: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["align", str(drawn / "a.png"), str(drawn / "b.png"), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_visible_picture_first_is_told(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plane = read_picture(drawn / "b.png").array
    write_picture(tmp_path / "b.png", np.stack([plane, plane, plane // 2], axis=2))
    assert run(["align", str(tmp_path / "b.png"), str(drawn / "a.png"), "-o", str(tmp_path / "w.json")]) == 0
    assert "a has colour and b has none: pass the thermal one first" in capsys.readouterr().err
    assert run(["align", str(drawn / "a.png"), str(tmp_path / "b.png"), "-o", str(tmp_path / "v.json")]) == 0
    assert "thermal one first" not in capsys.readouterr().err


def test_a_warp_is_written_to_no_picture_and_found_for_no_volume(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["align", str(drawn / "a.png"), str(drawn / "b.png"), "-o", str(tmp_path / "warp.png")]) == 2
    assert "a warp is JSON" in capsys.readouterr().err
    assert run(["align", str(tmp_path / "t1.nii.gz"), str(tmp_path / "t2.nii.gz")]) == 2
    assert "`polyfuse fuse A B --register`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_spots_that_leave_much_off_are_no_proof_of_parallax(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text("0,0,90,90\n150,0,390,40\n150,110,340,260\n0,110,40,300\n")
    words = ["align", str(drawn / "a.png"), str(drawn / "b.png"), "-o", str(tmp_path / "w.json")]
    assert run([*words, "--points", str(tmp_path / "p.csv")]) == 0
    assert "a spot is wrong, or it is parallax" in capsys.readouterr().err


def test_existing_warp_file_stays(drawn: Path, warp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = warp.read_bytes()
    assert run(["align", str(drawn / "a.png"), str(drawn / "b.png"), "-o", str(warp)]) == 5
    assert "--overwrite" in capsys.readouterr().err
    assert warp.read_bytes() == before


@pytest.mark.slow
def test_folders_vote(drawn: Path, tmp_path: Path, polyfuse: Callable[..., Any]) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        for number in range(3):
            (tmp_path / side / f"{number}.png").write_bytes((drawn / f"{side}.png").read_bytes())
    ran = polyfuse("align", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "w.json", "--frames", 2)
    assert ran.code == 0
    assert any("2 of 2 pairs agree" in line for line in ran.err)


@pytest.fixture(scope="session")
def beside(drawn: Path) -> Path:
    """left.png, of the size of b.png: what is lower is nearer, and lies up to 6 pixels farther to the right in it."""
    b = read_picture(drawn / "b.png").array
    rows, columns = np.indices(b.shape)
    place = np.clip(np.rint(columns - 6 * rows / b.shape[0]).astype(int), 0, b.shape[1] - 1)
    write_picture(drawn / "left.png", 255 - b[rows, place])
    return drawn / "left.png"


def test_flow_goes_into_the_warp_file_and_into_the_result(
    drawn: Path, beside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spots, warp, out = tmp_path / "spots.csv", tmp_path / "warp.json", tmp_path / "fused.png"
    spots.write_text("0,0,0,0\n399,0,399,0\n0,319,0,319\n")  # by hand: the two as they are
    words = ["align", str(beside), str(drawn / "b.png"), "--points", str(spots), "-o", str(warp), "--flow", "--json"]
    assert run(words) == 0
    document = json.loads(capsys.readouterr().out)
    told = document["warp"]["details"]["flow"]
    assert told["kept"]
    assert told["median_off_after"] < 0.5 * told["median_off_before"]
    assert 2 < told["longest"] <= told["bound"] == 10
    assert document["still_off"]["places"] == len(document["still_off"]["map"])
    flow = json.loads(warp.read_text(encoding="utf-8"))["flow"]
    assert np.shape(flow["x"]) == np.shape(flow["y"])
    words = ["fuse", str(beside), str(drawn / "b.png"), "--flow", "-o", str(out), "--model", "average"]
    assert run(words) == 0
    assert "flow of up to" in capsys.readouterr().err
    record = json.loads((tmp_path / "fused.png.json").read_text(encoding="utf-8"))
    assert (record["warp"]["found"], record["settings"]["options"]["flow"]) == ("identity", True)
    assert run([*words, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["state"] == "kept"
    assert run([*words, "--overwrite", "--warp", str(warp)]) == 2
    assert "flow of its own" in capsys.readouterr().err


def test_flow_is_for_single_pictures(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, match in (
        (["fuse", "a.mp4", "b.mp4", "--flow"], "is for pictures"),
        (["align", "--check", "a.png", "b.png", "--flow"], "drop --flow"),
        (["fuse", "a.png", "b.png", "--flow", "--resize", "a"], "drop --resize"),
    ):
        assert run(words) == 2
        assert match in capsys.readouterr().err
    (drawn / "seq").mkdir()
    write_picture(drawn / "seq" / "a.png", np.zeros((40, 50), np.uint8))
    words = ["fuse", str(drawn / "seq"), str(drawn / "seq"), "--flow", "--temporal", "exponential"]
    assert run([*words, "--out", str(drawn / "out")]) == 2


@pytest.mark.parametrize("more", [(), ("--temporal", "exponential")])
def test_shifted_sources_are_told_of_once(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    plane = read_picture(drawn / "b.png").array
    for name in ("1.png", "2.png"):
        write_picture(tmp_path / "ir" / name, np.ascontiguousarray(255 - plane[:, 8:]))
        write_picture(tmp_path / "vi" / name, np.ascontiguousarray(plane[:, :-8]))
    words = ["fuse", str(tmp_path / "ir"), str(tmp_path / "vi"), "-o", str(tmp_path / "out"), "--model", "average"]
    assert run([*words, *more]) == 0
    assert capsys.readouterr().err.count("the sources seem shifted by") == 1


def test_radial_terms_of_lenses_are_told(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spots = tmp_path / "spots.csv"
    x, y = np.meshgrid(np.linspace(2, 157, 6), np.linspace(2, 117, 5))
    a = np.stack([x.ravel(), y.ravel()], axis=-1)
    b = distorted(a * 2 + 40.5, (400, 320), -0.1)
    spots.write_text("\n".join(f"{x},{y},{u},{v}" for (x, y), (u, v) in zip(a, b, strict=True)))
    pair, out = [str(drawn / "a.png"), str(drawn / "b.png")], str(tmp_path / "warp.json")
    assert run(["align", *pair, "--points", str(spots), "-o", out, "--model", "homography-radial"]) == 0
    assert "radial terms of the lenses:" in capsys.readouterr().err
    warp = read_warp(out)
    assert warp.kind == "homography-radial"
    assert warp.residual is not None
    assert warp.residual < 0.1
    assert run(["align", *pair, "-o", out, "--model", "homography-radial", "--overwrite"]) == 0
    assert "no radial terms of lenses: blocks need 4 pairs at least" in capsys.readouterr().err
    assert read_warp(out).kind == "homography"
