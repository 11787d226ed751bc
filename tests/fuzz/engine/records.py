"""The corpus of records beside results, of what a study and a training leave, and of tables."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from polyfuse import fuse
from polyfuse.ablation import Pictures, compare, find_study
from polyfuse.ablation.plan import Run
from polyfuse.ablation.tables import grid
from polyfuse.evaluation.terminal import terminal_text
from polyfuse.fusion.sidecar import earlier_record
from polyfuse.io import check_sizes, pairs_from_csv, write_picture
from polyfuse.train import Recipe, load_recipe, run_progress
from polyfuse.train.curves import draw_curves
from polyfuse.train.journal import Journal
from tests.fuzz.engine.document_changes import change_json
from tests.fuzz.engine.pictures import scene
from tests.fuzz.engine.seeds import Seed
from tests.fuzz.engine.trainings import make_pack, recipe_of

_WHEN = 1_700_000_000
"""Time of all files whose time is in a record, so that the record is the same in every run."""
_CURVES_SHARE = 0.02
"""Share of the logs that are drawn, which takes longer than all else."""


def records() -> list[Seed]:
    """Sidecars, scores of a study, the recipe and the environment of a run folder."""
    return [_sidecar(), _scores(), *_run_folder()]


def _sidecar() -> Seed:
    """The record beside a result, from which `--resume` tells whether it is done."""
    write_picture("a.png", scene())
    write_picture("b.png", scene(3))
    result = fuse("a.png", "b.png", model="average")
    result.save("fused.png")
    place = Path("fused.png.json")
    record = json.loads(place.read_text())
    for path, facts in (
        ("a.png", record["sources"]["a"]),
        ("b.png", record["sources"]["b"]),
        ("fused.png", record["result"]),
    ):
        os.utime(path, (_WHEN, _WHEN))
        facts["mtime_ns"] = _WHEN * 10**9
    record["run"] = {"seconds": 0.1}

    def read(path: str, rng: Random) -> bool:
        sources = {"a": Path("a.png"), "b": Path("b.png")}
        return (
            earlier_record(Path("fused.png"), sources, result.record["settings"], verify=rng.random() < 0.3) is not None
        )

    return Seed("sidecar", str(place), json.dumps(record, indent=2).encode(), read, (change_json, change_json))


def _base() -> Recipe:
    """The recipe of a small study."""
    Path("base.json").write_text(json.dumps(recipe_of("fnet")), encoding="utf-8")
    return load_recipe("base.json")


def _scores() -> Seed:
    """The scores of one run of a study, from which its table is made."""
    study, base, pictures = find_study("fnet"), _base(), Pictures((), "0" * 64)
    make_pack("x.pack")
    variants = study.choose(["AE1"])
    runs = [Run(variant, base, Path("study") / variant.name, "finished") for variant in variants]
    cells: dict[str, Any] = {name: {"mean": 1.5, "left_out": 0} for name in study.metrics}
    document = {
        "pairs": {"sha256": pictures.sha256}, "protocol": study.protocol,
        "metrics": [{"name": name} for name in study.metrics], "settings": {"weights_sha256": "w"},
        "rows": [{"summary": cells}],
    }  # fmt: skip
    content = json.dumps(document).encode()
    for run in runs:
        run.folder.mkdir(parents=True)
        (run.folder / "scores.json").write_bytes(content)

    def read(path: str, rng: Random) -> bool:
        with patch("polyfuse.ablation.work.weights_sha256", lambda path: "w"):
            comparison = compare(study, base, runs, pictures, "TNO")
        terminal_text(grid(comparison), width=100, styled=False)
        return len(comparison.lines[1].values) > 0

    return Seed("scores", "study/AE1/scores.json", content, read, (change_json, change_json))


def _run_folder() -> list[Seed]:
    """Recipe and environment of a run, from which a study tells how far it is."""
    base = replace(_base(), data=replace(_base().data, train=()))
    contents = {"recipe.json": json.dumps(base.to_json()), "environment.json": json.dumps({"data": [], "torch": "2"})}
    for name, content in contents.items():
        path = Path("run") / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def read(path: str, rng: Random) -> bool:
        run_progress(base, Path("run"))
        return True

    return [Seed(name, f"run/{name}", text.encode(), read, (change_json,)) for name, text in contents.items()]


def change_cells(rng: Random, content: bytes) -> bytes:
    """Change, repeat, leave out or exchange cells and lines of a table."""
    rows = [line.split(",") for line in content.decode().splitlines()]
    strange: tuple[str, ...] = (
        "",
        "nan",
        "inf",
        "-1",
        "1e400",
        "9" * 5000,
        '"',
        '"a,b"',
        "'",
        "=1+1",
        "../a0.png",
        "/",
        ".",
        "\0",
        "é",
        "x" * 200000,
    )
    strange += ("a" * 300, "a0.png/x", "\ud800", "a\x1b[2J", "\x85", "\u2028", " ", ";", "step", "a\rb", "1_0", "٣")
    for _ in range(rng.choice((1, 1, 2, 5))):
        row = rows[0] if rng.random() < 0.2 else rng.choice(rows)
        how = rng.randrange(6)
        if how < 3 and row:
            row[rng.randrange(len(row))] = rng.choice(strange)
        elif how == 3:
            row.insert(rng.randrange(len(row) + 1), rng.choice(strange))
        elif how == 4:
            rows.insert(rng.randrange(len(rows) + 1), list(rng.choice(rows)))
        elif len(rows) > 1:
            rows.remove(row)
    end = rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
    return end.join(",".join(row) for row in rows).encode("utf-8", "surrogatepass") + end.encode() * rng.randrange(2)


def tables() -> list[Seed]:
    """Lists of pairs, and the logs of a training."""
    for name in ("a0", "a1", "b0", "b1"):
        write_picture(f"{name}.png", scene())

    def read(path: str, rng: Random) -> bool:
        check_sizes(pairs_from_csv(path))
        return True

    def read_logs(path: str, rng: Random) -> bool:
        notes: list[str] = []
        if rng.random() < _CURVES_SHARE:
            draw_curves(Path("run"))
        with patch("polyfuse.train.journal._tensorboard", lambda folder, first_step: None):
            journal = Journal(Path("run"), 4, note=notes.append)
        journal.write("log", "fusion", 5, {"total": 0.5, "norm": 1.0, "rate": 0.1, "seconds": 0.1})
        if rng.random() < _CURVES_SHARE:
            draw_curves(Path("run"))
        return not notes

    lists = {
        "pairs": b"a,b\na0.png,b0.png\na1.png,b1.png\n",
        "pairs with names": "\ufeffir,vi,name\na0.png,b0.png,one\na1.png,b1.png,zwei\n".encode(),
        "pairs with semicolons": b"infrared;visible\na0.png;b0.png\na1.png;b1.png\n",
    }
    logs = {
        "run/log-fusion.csv": b"step,total,norm,rate,seconds\n2,0.5,1.25,0.1,1\n4,0.25,1.5,0.1,2\n6,0.2,1,0.1,3\n",
        "run/val-fusion.csv": b"step,total,ssim\n2,0.5,0.25\n4,0.4,0.2\n",
        "run/monitors-fusion.csv": b"step,game,game status\n2,0.5,ok\n4,0.4,warn\n",
    }
    Path("run").mkdir()
    for place, content in logs.items():
        Path(place).write_bytes(content)
    seeds = [Seed(name, "pairs.csv", content, read, (change_cells,) * 2) for name, content in lists.items()]
    return seeds + [
        Seed(Path(place).stem, place, content, read_logs, (change_cells,)) for place, content in logs.items()
    ]
