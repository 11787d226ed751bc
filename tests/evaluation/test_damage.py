"""A picture that its decoder filled in is named in an evaluation, and refused where that is asked for."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyfuse.cli import run
from polyfuse.errors import InputError
from polyfuse.evaluation import evaluate
from polyfuse.io import write_picture
from polyfuse.io.damage import DAMAGE_NOTE, is_damaged


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """A fused picture and its sources; the second source is a JPEG with one byte changed."""
    rng = np.random.default_rng(4)
    columns = np.arange(128)
    picture = (128 + 60 * np.sin(columns / 17) + rng.normal(0, 8, (96, 128))).clip(0, 255).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=90)
    content = bytearray(buffer.getvalue())
    while not is_damaged(bytes(content)):
        content[rng.integers(len(content) // 2, len(content) - 2)] ^= 1
    names = [tmp_path / name for name in ("fused.png", "a.png", "b.jpg")]
    for path in names[:2]:
        write_picture(path, picture)
    names[2].write_bytes(content)
    return names


def test_damaged_source_is_noted_or_refused(paths: list[Path]) -> None:
    fused, a, b = paths
    assert evaluate(fused, a, b, metrics=["EN"]).notes == (f"{b}: {DAMAGE_NOTE}",)
    assert evaluate(fused, a, a, metrics=["EN"], strict=True).notes == ()
    with pytest.raises(InputError, match="is read with --strict"):
        evaluate(fused, a, b, metrics=["EN"], strict=True)


def test_command_tells_of_damage_in_its_lines_and_documents(
    paths: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["evaluate", *map(str, paths), "--metrics", "EN", "--json"]
    assert run(call) == 0
    out, err = capsys.readouterr()
    assert err == f"a: {paths[2]}: {DAMAGE_NOTE}\n"
    assert DAMAGE_NOTE in json.dumps(json.loads(out))
    assert run([*call, "--strict"]) == 3
    assert "is read with --strict" in capsys.readouterr().err
