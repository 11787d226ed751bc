"""Whatever is wrong ends in one line that says what and what to do, the right exit code, and no file."""

import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from polyfuse.io import write_picture

Runner = Callable[..., Any]
Folders = Callable[..., tuple[Path, Path]]


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that promises a size."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(1 << 16))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def break_text(path: Path) -> None:
    path.write_text("this is no picture\n")


def break_empty(path: Path) -> None:
    path.write_bytes(b"")


def break_half_jpeg(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (12, 16), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def break_bomb(path: Path) -> None:
    path.write_bytes(png_of(60000, 60000))


def break_nan(path: Path) -> None:
    picture = np.full((12, 16), 0.5, np.float32)
    picture[3, 4] = np.nan
    tifffile.imwrite(path.with_suffix(".tif"), picture)
    path.with_suffix(".tif").replace(path)


def break_size(path: Path) -> None:
    write_picture(path, np.zeros((12, 17), np.uint8), overwrite=True)


def break_missing(path: Path) -> None:
    path.unlink()


BREAKAGES: dict[Callable[[Path], None], str] = {
    break_text: "vi/0.png is not a picture polyfuse reads",
    break_empty: "vi/0.png is empty",
    break_half_jpeg: "vi/0.png",
    break_bomb: "vi/0.png is 60000x60000 = 3600000000 pixels, more than the limit",
    break_nan: "vi/0.png holds 1 ",
    break_size: "16x12 and 17x12: two cameras need",
    break_missing: "vi/0.png does not exist",
}


def files() -> set[Path]:
    return {path for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", BREAKAGES, ids=lambda damage: damage.__name__)
def test_bad_picture_ends_in_one_line_and_leaves_nothing(
    damage: Callable[[Path], None], polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    damage(pair[1])
    before = files()
    ran = polyfuse("fuse", *pair, "--model", "average")
    assert (ran.code, ran.out) == (3, [])
    assert BREAKAGES[damage] in ran.problem
    assert ": " in ran.problem
    assert files() == before


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (5, 3), (1, 7)])
@pytest.mark.parametrize("model", ["laplacian", "fnet"])
def test_tiny_pictures_are_fused(
    model: str, size: tuple[int, int], polyfuse: Runner, folders: Folders, fnet_weights: Path
) -> None:
    folders(1, size=size)
    weights = ["--weights", fnet_weights] if model == "fnet" else []
    assert polyfuse("fuse", "ir/0.png", "vi/0.png", "--model", model, *weights).code == 0


WRONG_CALLS = {
    "unknown model": (["--model", "laplacain"], 2, "did you mean laplacian?"),
    "unknown model in capitals": (["--model", "LAPLACAIN"], 2, "did you mean laplacian?"),
    "unknown model of a family": (["--model", "fnet.raod"], 2, "did you mean fnet"),
    "unknown value": (["--gamut", "wide"], 2, "'safe', 'clip', 'official'"),
    "unknown option": (["--bitdepth", "8"], 2, "--bit-depth"),
    "unknown range": (["--range", "wide"], 2, "use auto, full, minmax, percentile"),
    "empty range": (["--range", "9,3"], 2, "the first number must be the smaller one"),
    "no size": (["--memory", "much"], 2, "write for example 2GiB"),
    "tile too small": (["--tile", "3"], 2, "16"),
    "unknown suffix": (["-o", "x.gif"], 2, "x.gif ends in no picture suffix: use one of .png"),
    "device of another name": (["--device", "gpu"], 2, "there is no device 'gpu'"),
    "missing device, model without weights": (["--device", "cuda:99", "--model", "maximum"], 2, "use --device cpu"),
    "unknown device": (["--device", "abacus"], 2, "use --device cpu"),
    "memory too small": (["--model", "laplacian", "--memory", "1KiB"], 2, "raise --memory"),
    "no weights": (["--model", "fnet"], 2, "needs weights: pass --weights FILE"),
    "weights for a classic": (["--model", "average", "--weights", "ir/0.png"], 2, "takes no weights"),
    "missing weights": (["--model", "fnet", "--weights", "gone.safetensors"], 3, "gone.safetensors cannot be read"),
    "picture as weights": (["--model", "fnet", "--weights", "ir/0.png"], 3, "no polyfuse weights file"),
    "colour from grey": (["--model", "average", "--colour-from", "a"], 2, "a is grey and has no colour to give"),
    "deep picture into jpeg": (["--model", "average", "-o", "x.jpg", "--bit-depth", "16"], 2, "JPEG cannot hold"),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_call_is_answered_in_one_line(case: str, polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    arguments, code, words = WRONG_CALLS[case]
    before = files()
    ran = polyfuse("fuse", *pair, "--quiet", *arguments)
    assert (ran.code, ran.out) == (code, [])
    assert words in ran.problem
    assert files() == before


def test_same_file_for_both_sides_is_a_usage_error(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", pair[0], pair[0].parent / ".." / pair[0])
    assert ran.code == 2
    assert "ir/0.png is given for both sides" in ran.problem


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "http://host/ir.png", "vi/0.png"),
        ("models", "verify", "s3://bucket/w.safetensors"),
        ("fuse", "ir/0.png", "vi/0.png", "--weights", "HTTPS://host/w.safetensors"),
    ],
)
def test_address_is_refused_by_name(arguments: tuple[str, ...], polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse(*arguments)
    assert (ran.code, ran.out) == (2, [])
    address = next(argument for argument in arguments if "://" in argument)
    assert ran.problem == f"{address} is an address, which `polyfuse live` alone opens: download it first."


@pytest.mark.parametrize(
    "arguments",
    [
        ("fuse", "http://host/ir.png", "vi/0.png"),
        ("fuse", "ir/0.png", "--vi", "https://host/vi.png"),
        ("fuse", "ir/0.png", "vi/0.png", "-o", "s3://bucket/fused.png"),
        ("evaluate", "ftp://host/a.png", "ir/0.png", "vi/0.png"),
        ("evaluate", "--fused", "mine=gs://bucket/a.png", "ir/0.png", "vi/0.png"),
    ],
)
def test_address_of_pictures_needs_an_engine_that_opens_it(
    arguments: tuple[str, ...], polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    ran = polyfuse(*arguments)
    assert (ran.code, ran.out) == (2, [])
    address = next(argument for argument in arguments if "://" in argument).removeprefix("mine=")
    assert ran.problem == f"{address} is an address: pass --engine ray, which opens it, or download it first."


def test_same_folder_for_both_sides_is_a_usage_error(polyfuse: Runner, folders: Folders) -> None:
    ir, _ = folders(1)
    assert (ran := polyfuse("fuse", ir, ir)).code == 2
    assert "ir is given for both sides" in ran.problem


def test_folder_and_file_is_a_usage_error(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(1)
    assert (ran := polyfuse("fuse", ir, vi / "0.png")).code == 2
    assert "ir is a folder and vi/0.png is a file" in ran.problem


def test_one_file_alone_is_a_usage_error(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    assert (ran := polyfuse("fuse", pair[0])).code == 2
    assert "ir/0.png has no partner" in ran.problem


def test_pictures_without_partner_are_named_before_any_work(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(3)
    (ir / "1.png").unlink()
    (vi / "2.png").rename(vi / "7.png")
    ran = polyfuse("fuse", ir, vi)
    assert ran.code == 3
    assert "(2.png)" in ran.problem
    assert "(1.png, 7.png)" in ran.problem
    assert not Path("fused").exists()


def test_different_sizes_in_folders_are_named_before_any_work(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(3)
    break_size(vi / "2.png")
    ran = polyfuse("fuse", ir, vi)
    assert ran.code == 3
    assert "sizes differ for 2: 16x12 and 17x12" in ran.problem
    assert not Path("fused").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a;c\n", "header a,b"),
        (b"a,b\n", "lists no pairs"),
        (b"a,b\nir/0.png,gone.png\n", "line 2: gone.png is missing"),
        (b"\xff\xfe\x00\x01", "no CSV table in UTF-8"),
    ],
)
def test_bad_table_of_pairs_is_an_input_error(
    content: bytes, words: str, polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    Path("pairs.csv").write_bytes(content)
    ran = polyfuse("fuse", "pairs.csv")
    assert ran.code == 3
    assert words in ran.problem


def test_missing_table_of_pairs_is_an_input_error(polyfuse: Runner) -> None:
    assert (ran := polyfuse("fuse", "gone.csv")).code == 3
    assert "gone.csv does not exist" in ran.problem


def test_file_name_as_out_of_folders_is_a_usage_error(polyfuse: Runner, folders: Folders) -> None:
    ran = polyfuse("fuse", *folders(3), "-o", "all.png")
    assert ran.code == 2
    assert ran.problem == "--out all.png names a file but there are 3 pairs: name a folder."


def test_weights_with_a_flipped_bit_are_refused(polyfuse: Runner, pair: tuple[Path, Path], fnet_weights: Path) -> None:
    content = bytearray(fnet_weights.read_bytes())
    content[-5] ^= 1
    Path("w.safetensors").write_bytes(content)
    ran = polyfuse("fuse", *pair, "--weights", "w.safetensors")
    assert ran.code == 3
    assert ran.problem.startswith("w.safetensors does not match its own checksum")


class _Runs:
    """Unpickled carelessly, this writes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path("owned"), "code ran")


@pytest.mark.parametrize("call", ["import", "fuse"])
def test_pickle_that_runs_code_is_refused_and_does_not_run(
    call: str, polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    Path("evil.pth").write_bytes(pickle.dumps(_Runs()))
    arguments = {
        "import": ("models", "import", "fnet", "evil.pth", "-o", "w.safetensors"),
        "fuse": ("fuse", *pair, "--model", "fnet", "--weights", "evil.pth"),
    }[call]
    before = files()
    ran = polyfuse(*arguments)
    assert ran.code == 3
    assert ran.problem.startswith("evil.pth ")
    assert files() == before


def test_out_below_a_file_is_an_output_error(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", *pair, "--model", "average", "-o", pair[0] / "x.png")
    assert (ran.code, ran.out) == (5, [])
    assert "ir/0.png/x.png cannot be written" in ran.problem


def test_folder_that_may_not_be_written_is_an_output_error(
    polyfuse: Runner, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    ran = polyfuse("fuse", *pair, "--model", "average")
    assert ran.code == 5
    assert ran.problem == "fused.png cannot be written (Permission denied): choose a folder you may write to"


def test_full_disk_is_an_output_error_and_leaves_nothing(start: Runner, folders: Folders, tmp_path: Path) -> None:
    ir, vi = folders(1, size=(60, 80))
    # A file of this process may not grow beyond 4 kB: what a full disk looks like to it.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    process = start("fuse", ir / "0.png", vi / "0.png", "--model", "average", "-o", "out/x.png", before=limit)
    out, err = process.communicate()
    assert (process.returncode, out) == (5, "")
    assert err.count("\n") == 1
    assert "out/x.png cannot be written" in err
    assert "free some space" in err
    assert list((tmp_path / "out").iterdir()) == []


def test_full_standard_output_is_an_output_error_in_one_line(start: Runner, pair: tuple[Path, Path]) -> None:
    with open("/dev/full", "w") as full:
        process = start("fuse", *pair, "--model", "average", stdout=full)
        _, err = process.communicate()
    assert process.returncode == 5
    assert err == "polyfuse: standard output cannot be written (No space left on device): free some space.\n"


def test_skip_reports_each_bad_pair_and_ends_with_1(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(4)
    break_text(vi / "1.png")
    break_size(vi / "3.png")
    ran = polyfuse("fuse", ir, vi, "--on-error", "skip", "--model", "average")
    assert (ran.code, ran.out) == (1, ["fused/0.png", "fused/2.png"])
    assert [line.split(":")[0] for line in ran.err] == ["1", "3", "polyfuse"]
    assert ran.err[-1].startswith("polyfuse: 2 of 4 pairs failed (1, 3)")


def test_stop_ends_with_the_code_and_name_of_the_bad_pair(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(4)
    break_nan(vi / "2.png")  # its header is good, so that it is found while the batch runs
    ran = polyfuse("fuse", ir, vi, "--model", "average")
    assert (ran.code, ran.out) == (3, ["fused/0.png", "fused/1.png"])
    assert ran.problem.startswith("2: vi/2.png holds 1 ")
    assert ran.problem.endswith("2 of 4 pairs are done, --resume keeps them.")


def test_stop_finds_a_bad_header_before_any_work(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(3)
    break_text(vi / "2.png")
    ran = polyfuse("fuse", ir, vi, "--model", "average")
    assert (ran.code, ran.out) == (3, [])
    assert "vi/2.png" in ran.problem
    assert not Path("fused").exists()


def test_json_of_a_partly_failed_batch_names_results_and_error(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(3)
    break_text(vi / "1.png")
    ran = polyfuse("fuse", ir, vi, "--on-error", "skip", "--json")
    document = json.loads("\n".join(ran.out))
    assert [row["state"] for row in document["results"]] == ["fused", "failed", "fused"]
    assert "is not a picture" in document["results"][1]["error"]
    assert document["error"]["exit_code"] == ran.code == 1


@pytest.mark.parametrize("arguments", [["--model", "nope"], ["-o", "x.gif"], ["--range", "9,3"]])
def test_json_of_a_call_that_fails_at_once_is_one_document_too(
    arguments: list[str], polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    ran = polyfuse("fuse", *pair, "--json", *arguments)
    document = json.loads("\n".join(ran.out))
    assert (document["error"]["exit_code"], ran.code) == (2, 2)
    assert document["error"]["message"] == ran.problem


def test_quiet_keeps_the_error(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    break_empty(pair[1])
    assert "is empty" in polyfuse("fuse", *pair, "--quiet").problem


@pytest.mark.parametrize("arguments", [["--model", "nope"], ["--gamut", "wide"]])
def test_debug_shows_the_traceback_and_the_line(
    arguments: list[str], polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    ran = polyfuse("fuse", *pair, "--debug", *arguments)
    assert (ran.code, ran.err[0]) == (2, "Traceback (most recent call last):")
    assert ran.err[-1].startswith("polyfuse: ")
