"""`polyfuse fuse` when all goes well: which files, what on stdout, what on stderr."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse import fuse
from polyfuse.io import read_picture, write_picture

Runner = Callable[..., Any]
Folders = Callable[..., tuple[Path, Path]]
WHICH_MODEL = "model pyrfuse.road: the default"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_files_become_fused_png_with_a_sidecar(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", *pair)
    assert (ran.code, ran.out) == (0, ["fused.png"])
    assert {"fused.png", "fused.png.json"} <= set(names(Path()))


def test_command_and_library_give_the_same_picture(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    polyfuse("fuse", *pair, "--model", "maximum", "-o", "c.png", "--range", "10,200", "--bit-depth", "16", "--grey")
    library = fuse(*pair, model="maximum", range="10,200", bit_depth="16", grey=True)
    np.testing.assert_array_equal(read_picture("c.png").array, library.image)


def test_sources_by_name_are_the_sources_by_place(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    polyfuse("fuse", *pair, "-o", "1.png")
    polyfuse("fuse", "--vi", pair[1], "--ir", pair[0], "-o", "2.png")
    assert Path("1.png").read_bytes() == Path("2.png").read_bytes()


def test_swapped_sources_are_the_sources_by_name(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    polyfuse("fuse", *pair, "-o", "1.png", "--model", "laplacian")
    polyfuse("fuse", pair[1], pair[0], "--swap", "-o", "2.png", "--model", "laplacian")
    assert Path("1.png").read_bytes() == Path("2.png").read_bytes()
    listed = polyfuse("fuse", pair[1], pair[0], "--swap", "-o", "2.png", "--dry-run").out
    assert listed == [f"{pair[0]}  +  {pair[1]}  ->  2.png"]


def test_source_given_twice_is_a_usage_error(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    assert polyfuse("fuse", *pair, "--ir", pair[0]).code == 2


def test_same_command_gives_the_same_bytes(polyfuse: Runner, pair: tuple[Path, Path], fnet_weights: Path) -> None:
    for name in ("1.png", "2.png"):
        polyfuse("fuse", *pair, "--weights", fnet_weights, "-o", name)
    assert Path("1.png").read_bytes() == Path("2.png").read_bytes()


def test_fnet_t_fuses_in_the_precision_asked_for(
    polyfuse: Runner, pair: tuple[Path, Path], fnet_t_weights: Path
) -> None:
    arguments = ("--model", "fnet-t", "--weights", fnet_t_weights, "--precision", "bf16")
    ran = polyfuse("fuse", *pair, *arguments)
    record = json.loads(Path("fused.png.json").read_text(encoding="utf-8"))
    assert (ran.code, ran.out, ran.err) == (0, ["fused.png"], [])
    assert (record["settings"]["precision"], record["settings"]["config"]["unshuffle"]) == ("bf16", 2)


def test_border_with_fnet_t_is_a_usage_error(polyfuse: Runner, pair: tuple[Path, Path], fnet_t_weights: Path) -> None:
    ran = polyfuse("fuse", *pair, "--model", "fnet-t", "--weights", fnet_t_weights, "--border", "reflect")
    assert (ran.code, ran.problem) == (2, "model fnet-t has no choice of borders: drop --border.")


def test_default_model_is_told_in_one_line(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    assert polyfuse("fuse", *pair).err == [WHICH_MODEL]


def test_named_model_is_not_told(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    assert polyfuse("fuse", *pair, "--model", "average").err == []


def test_weights_alone_choose_their_family(polyfuse: Runner, pair: tuple[Path, Path], fnet_weights: Path) -> None:
    polyfuse("fuse", *pair, "--weights", fnet_weights)
    assert json.loads(Path("fused.png.json").read_text())["settings"]["model"] == "fnet.random"


def test_existing_folder_as_out_takes_the_name_of_a(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    Path("there").mkdir()
    assert polyfuse("fuse", *pair, "-o", "there").out == ["there/0.png"]


@pytest.mark.parametrize("out", ["new/", "new/deep/", "new.png/"])
def test_slash_at_the_end_of_out_names_a_folder(out: str, polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", *pair, "--model", "average", "-o", out)
    assert (ran.code, ran.out) == (0, [f"{out}0.png"])


def test_missing_folders_of_out_are_made(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    assert polyfuse("fuse", *pair, "-o", "new/deep/x.tif").code == 0
    assert read_picture("new/deep/x.tif").format == "TIFF"


def test_no_sidecar_writes_the_picture_alone(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    polyfuse("fuse", *pair, "-o", "out/x.png", "--no-sidecar")
    assert names(Path("out")) == ["x.png"]


def test_two_folders_are_matched_by_stem_in_natural_order(polyfuse: Runner, folders: Folders) -> None:
    ran = polyfuse("fuse", *folders(12))
    assert (ran.code, ran.out) == (0, [f"fused/{index}.png" for index in range(12)])


def test_order_matches_by_position_and_names_after_a(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(2)
    (vi / "0.png").rename(vi / "left.png")
    (vi / "1.png").rename(vi / "right.png")
    ran = polyfuse("fuse", ir, vi, "--match", "order", "--dry-run")
    assert ran.out == ["ir/0.png  +  vi/left.png  ->  fused/0.png", "ir/1.png  +  vi/right.png  ->  fused/1.png"]


def test_csv_lists_pairs_and_their_names(polyfuse: Runner, folders: Folders) -> None:
    folders(2)
    Path("pairs.csv").write_text("a,b,name\nir/1.png,vi/0.png,mixed\nir/0.png,vi/0.png,\n")
    assert polyfuse("fuse", "pairs.csv", "-o", "out").out == ["out/mixed.png", "out/0.png"]


def test_marks_pair_the_pictures_of_one_folder(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(2)
    for number in range(2):
        (vi / f"{number}.png").rename(ir / f"{number}_vi.png")
        (ir / f"{number}.png").rename(ir / f"{number}_ir.png")
    ran = polyfuse("fuse", ir, "--pair-by", "_ir,_vi", "--model", "average", "-o", "out")
    assert (ran.code, ran.out) == (0, ["out/0.png", "out/1.png"])


def test_folder_without_partner_names_the_option_for_one_folder(polyfuse: Runner, folders: Folders) -> None:
    assert "pass --pair-by, for example _ir,_vi." in polyfuse("fuse", folders(1)[0]).problem


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pair-by", "_ir"), "'_ir' are no two marks: write for example _ir,_vi."),
        (("--pair-by", "_ir,_vi", "--match", "order"), "drop it, or --match order"),
        (("--recursive", "--match", "order"), "drop --recursive, or --match order"),
        (("--recursive", "--temporal", "exponential"), "drop one of them"),
        (("-o", ""), "--out is empty"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: tuple[str, ...], words: str, polyfuse: Runner, folders: Folders
) -> None:
    ran = polyfuse("fuse", *folders(1), *arguments)
    assert (ran.code, ran.out) == (2, [])
    assert words in ran.problem


def test_subfolders_are_kept_in_the_results(polyfuse: Runner, folders: Folders) -> None:
    for folder in folders(2):
        (folder / "night").mkdir()
        (folder / "1.png").rename(folder / "night/1.png")
    ran = polyfuse("fuse", "ir", "vi", "--recursive", "--model", "average")
    assert (ran.code, ran.out) == (0, ["fused/0.png", "fused/night/1.png"])
    again = polyfuse("fuse", "ir", "vi", "--recursive", "--model", "average", "--resume", "--json")
    assert [row["state"] for row in json.loads("\n".join(again.out))["results"]] == ["kept", "kept"]


def test_suffix_chooses_the_format_of_a_folder(polyfuse: Runner, folders: Folders) -> None:
    assert polyfuse("fuse", *folders(1), "--suffix", "webp").out == ["fused/0.webp"]
    assert read_picture("fused/0.webp").format == "WEBP"


def test_dry_run_lists_the_pairs_and_writes_nothing(polyfuse: Runner, folders: Folders) -> None:
    ran = polyfuse("fuse", *folders(2), "--dry-run")
    assert (ran.code, ran.err) == (0, [])
    assert ran.out == [f"ir/{index}.png  +  vi/{index}.png  ->  fused/{index}.png" for index in range(2)]
    assert names(Path()) == ["ir", "vi"]


def test_dry_run_as_json_has_the_same_pairs(polyfuse: Runner, folders: Folders) -> None:
    ran = polyfuse("fuse", *folders(1), "--dry-run", "--json")
    rows = [{"name": "0", "a": "ir/0.png", "b": "vi/0.png", "out": "fused/0.png"}]
    assert json.loads("\n".join(ran.out)) == {"schema": 1, "pairs": rows}


def test_json_is_the_only_thing_on_stdout(polyfuse: Runner, folders: Folders) -> None:
    document = json.loads("\n".join(polyfuse("fuse", *folders(2), "--json").out))
    assert (document["schema"], document["model"]) == (1, "pyrfuse.road")
    assert [(row["out"], row["state"]) for row in document["results"]] == [
        ("fused/0.png", "fused"),
        ("fused/1.png", "fused"),
    ]


def test_quiet_leaves_stderr_empty(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(2)
    write_picture(ir / "0.png", np.zeros((12, 16), np.uint16), overwrite=True)  # would be worth a note
    ran = polyfuse("fuse", ir, vi, "--quiet")
    assert (ran.code, ran.err, len(ran.out)) == (0, [], 2)


def test_note_of_many_pairs_is_told_once(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(3)
    for path in ir.iterdir():
        write_picture(path, np.full((12, 16), 9, np.uint16), overwrite=True)
    ran = polyfuse("fuse", ir, vi, "--model", "average")
    assert len(ran.err) == len(set(ran.err)) == 2
    assert all(line.startswith("0: a ") for line in ran.err)  # has 16 bits; shows nothing


def test_threads_option_is_honoured_and_recorded(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    polyfuse("fuse", *pair, "--threads", "1")
    assert json.loads(Path("fused.png.json").read_text())["run"]["threads"] == 1


def test_tile_option_is_honoured(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(1, size=(40, 50))
    polyfuse("fuse", ir / "0.png", vi / "0.png", "--tile", "16", "--model", "average")
    assert json.loads(Path("fused.png.json").read_text())["run"]["tiles"] == 12


def test_existing_result_is_refused_and_kept(polyfuse: Runner, folders: Folders) -> None:
    Path("fused").mkdir()
    Path("fused/2.png").write_text("mine")
    ran = polyfuse("fuse", *folders(3), "--model", "average")
    assert (ran.code, ran.out) == (5, [])
    assert ran.problem == "fused/2.png exists: pass --overwrite to replace, or --resume to keep what is done."
    assert names(Path("fused")) == ["2.png"]


def test_overwrite_replaces_results(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    polyfuse("fuse", *pair, "--model", "average")
    before = Path("fused.png").read_bytes()
    assert polyfuse("fuse", *pair, "--model", "maximum", "--overwrite").code == 0
    assert Path("fused.png").read_bytes() != before


def test_resume_tells_kept_results_like_new_ones(polyfuse: Runner, folders: Folders) -> None:
    sources = folders(3)
    polyfuse("fuse", *sources, "--model", "average")
    Path("fused/1.png").unlink()
    ran = polyfuse("fuse", *sources, "--model", "average", "--resume", "--json")
    assert [row["state"] for row in json.loads("\n".join(ran.out))["results"]] == ["kept", "fused", "kept"]


def test_resume_makes_a_damaged_result_again(polyfuse: Runner, folders: Folders) -> None:
    call = ("fuse", *folders(3), "--model", "average")
    polyfuse(*call)
    whole = Path("fused/1.png").read_bytes()
    Path("fused/1.png").write_bytes(whole[:100])
    ran = polyfuse(*call, "--resume", "--verify", "--json")
    assert [row["state"] for row in json.loads("\n".join(ran.out))["results"]] == ["kept", "fused", "kept"]
    assert Path("fused/1.png").read_bytes() == whole


def test_verify_without_resume_is_a_usage_error(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", *pair, "--verify")
    assert (ran.code, ran.problem) == (2, "--verify says how --resume looks at files: pass both, or neither.")


@pytest.mark.parametrize("text", ["64MiB", "0.5GiB", "500 mb", "1G", "300000000"])
def test_memory_is_written_in_any_usual_way(text: str, polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    # The limit counts what this process already holds, so only its spelling is looked at here.
    ran = polyfuse("fuse", *pair, "--model", "average", "--memory", text)
    assert ran.code == 0 or "memory is too small" in ran.problem
