"""What comes back is what the commands write and print for the same files and options."""

import base64
import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse import cli, registry
from polyfuse.io import read_picture, write_picture
from polyfuse.service import Limits
from polyfuse.service.answers import RefusedError
from polyfuse.service.fields import EVALUATE_FIELDS, EVALUATE_FILES, FUSE_FIELDS, FUSE_FILES, parse_fields
from polyfuse.service.jobs import Ticket
from polyfuse.service.uploads import Upload
from polyfuse.service.work import fuse

TYPES = {"png": "image/png", "tif": "image/tiff", "jpg": "image/jpeg", "webp": "image/webp", "bmp": "image/bmp"}


def command(*words: object) -> None:
    """Run a command of polyfuse."""
    assert cli.run([str(word) for word in words]) == 0


@pytest.mark.parametrize("suffix", TYPES)
def test_picture_is_the_file_that_fuse_writes(service, pair, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"fused.{suffix}"
    command("fuse", pair["a"], pair["b"], "-o", out, "--model", "laplacian", "--quality", 80)
    answer = service.post("/fuse", pair, format=suffix, quality=80)
    assert (answer.status, answer.headers["Content-Type"]) == (200, TYPES[suffix])
    assert answer.body == out.read_bytes()


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (["--range", "percentile", "--bit-depth", "16", "--grey"], {"range": "percentile", "bit-depth": 16, "grey": 1}),
        (["--swap", "--luma", "studio", "--colour-from", "a"], {"swap": "true", "luma": "studio", "colour_from": "a"}),
        (["--model", "average", "--polarity", "black-hot"], {"model": "Average", "polarity": "black-hot"}),
        (["--tile", "16", "--stretch", "minmax"], {"tile": 16, "stretch": "minmax"}),
    ],
)
def test_fields_are_the_options_of_fuse(
    service, tmp_path: Path, rng: np.random.Generator, options: list[str], fields: dict[str, Any]
) -> None:
    a = write_picture(tmp_path / "a.tif", rng.integers(7000, 9000, (30, 40), np.uint16))
    b = write_picture(tmp_path / "b.png", rng.integers(0, 256, (30, 40, 3), np.uint8))
    command("fuse", a, b, "-o", tmp_path / "fused.png", "--model", "laplacian", *options)
    answer = service.post("/fuse", {"ir": a, "vi": b}, **fields)
    assert answer.body == (tmp_path / "fused.png").read_bytes()


def test_json_holds_the_sidecar_and_the_picture(service, pair, tmp_path: Path) -> None:
    command("fuse", pair["a"], pair["b"], "-o", tmp_path / "fused.png", "--model", "laplacian")
    written = json.loads((tmp_path / "fused.png.json").read_text())
    for answer in (
        service.post("/fuse", pair, {"Accept": "application/json"}),
        service.post("/fuse", pair, {"Accept": "image/png"}, json=""),
    ):
        picture = base64.b64decode(answer.json["picture"])
        sidecar = answer.json["sidecar"]
        assert picture == (tmp_path / "fused.png").read_bytes()
        assert (answer.json["media_type"], answer.json["width"], answer.json["height"]) == ("image/png", 40, 30)
        assert sidecar["result"] == {"bytes": len(picture), "sha256": hashlib.sha256(picture).hexdigest()}
        assert sidecar["sources"]["a"]["path"] == "a/ir.png"
        assert sidecar.keys() == written.keys()
        for key in sidecar.keys() - {"sources", "run", "result"}:
            assert sidecar[key] == written[key]


def test_accept_chooses_the_format(service, pair) -> None:
    answer = service.post("/fuse", pair, {"Accept": "text/html, image/webp;q=0.5, image/tiff;q=0.9, */*;q=0.1"})
    assert answer.headers["Content-Type"] == "image/tiff"
    assert answer.headers["X-Polyfuse-Model"] == "laplacian"
    assert service.post("/fuse", pair, {"Accept": "text/html"}).status == 406


def test_work_that_nobody_waits_for_ends_after_a_tile(pair) -> None:
    class Leaving(Ticket):
        def on_tile(self, done: int, total: int) -> None:
            tiles.append((done, total))
            self.abandoned = done == 2
            super().on_tile(done, total)

    tiles: list[tuple[int, int]] = []
    values = parse_fields({"tile": "16"}, FUSE_FIELDS)
    with ExitStack() as files:
        uploads = {name: Upload(path.name, files.enter_context(open(path, "rb"))) for name, path in pair.items()}
        with pytest.raises(RefusedError, match="nobody waits"):
            fuse(uploads, values, "image/png", registry.load("average"), Limits(), Leaving())
    assert tiles[-1][0] == 2
    assert tiles[-1][1] > 2


def test_notes_come_in_a_header(service, tmp_path: Path, rng: np.random.Generator) -> None:
    a = write_picture(tmp_path / "a.tif", rng.integers(7000, 9000, (30, 40), np.uint16))
    notes = json.loads(service.post("/fuse", {"a": a, "b": a}).headers["X-Polyfuse-Notes"])
    assert any("16 bits" in note for note in notes)


def test_warp_comes_as_a_file(service, pair, tmp_path: Path, rng: np.random.Generator) -> None:
    from polyfuse.alignment import Warp, write_warp

    write_warp(tmp_path / "warp.json", Warp.identity((40, 30), (40, 30)))
    command("fuse", pair["a"], pair["b"], "-o", tmp_path / "fused.png", "--model", "laplacian",
            "--warp", tmp_path / "warp.json", "--frame", "a")  # fmt: skip
    answer = service.post("/fuse", {**pair, "warp": tmp_path / "warp.json"}, frame="a")
    assert answer.body == (tmp_path / "fused.png").read_bytes()


def test_radiometric_file_needs_no_partner(service, tmp_path: Path, shared_dir: Path) -> None:
    file = shared_dir / "data" / "radiometric" / "flir" / "FLIR_AX8.jpg"
    command("fuse", file, "-o", tmp_path / "fused.jpg", "--model", "average", "--bit-depth", 8)
    answer = service.post("/fuse", {"a": file}, {"Accept": "image/jpeg"}, model="average", bit_depth=8)
    assert answer.body == (tmp_path / "fused.jpg").read_bytes()


def test_scores_are_those_that_evaluate_prints(
    service, pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fused = write_picture(tmp_path / "mine.png", read_picture(pair["b"]).array)
    words = ["--metrics", "EN,MI,VIF", "--baselines", "--json", "--quiet"]
    command("evaluate", fused, pair["a"], pair["b"], *words)
    printed = json.loads(capsys.readouterr().out)
    answer = service.post("/evaluate", {"fused": fused, **pair}, metrics="EN,MI,VIF", baselines=True)
    given = answer.json
    assert answer.status == 200
    assert given.pop("settings").keys() == printed.pop("settings").keys()
    assert given == printed


def test_document_and_page_name_every_field_and_nothing_elsewhere(service) -> None:
    document = service.get("/openapi.json").json
    page = service.get("/")
    schemas = {
        path: document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        for path in ("/fuse", "/evaluate")
    }
    assert list(schemas["/fuse"]) == [field.name for field in (*FUSE_FILES, *FUSE_FIELDS)]
    assert list(schemas["/evaluate"]) == [field.name for field in (*EVALUATE_FILES, *EVALUATE_FIELDS)]
    text = page.body.decode()
    assert all(f"<code>{name}</code>" in text for schema in schemas.values() for name in schema)
    assert "://" not in text
    assert "<script" not in text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_models_are_listed_the_default_first(service) -> None:
    facts = service.get("/models").json
    assert (facts["default"], [model["name"] for model in facts["models"]]) == ("laplacian", ["laplacian", "average"])
