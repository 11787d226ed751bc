"""The Python examples of the pages on volumes run as they are printed."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from polyfuse.volumes.move_files import read_move

DOCS = Path(__file__).parents[2] / "docs"


def examples_of(page):
    """Its Python blocks, as one program."""
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    return "\n".join(blocks)


def test_the_example_of_medical_volumes_runs(tmp_path, ball, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ball(tmp_path / "head_CT.nii.gz", tmp_path / "head_PT.nii.gz")
    exec(examples_of("medical-volumes.md"), {})
    assert (tmp_path / "fused.nii.gz").is_file()
    assert "(2.0, 2.0, 3.0)" in capsys.readouterr().out


@pytest.mark.slow
def test_the_example_of_registration_runs(tmp_path, shared_dir, monkeypatch):
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    for name, source in (("t1", "rniftyreg_flash_t1"), ("t2", "rniftyreg_epi_t2")):
        path = shared_dir / "data" / "volumes" / f"{source}.nii.gz"
        if not path.is_file():
            pytest.skip("the reference folder has no volumes")
        shutil.copyfile(path, tmp_path / f"{name}.nii.gz")
    monkeypatch.chdir(tmp_path)
    named: dict[str, Any] = {}
    exec(examples_of("medical-registration.md"), named)
    assert named["b_on_a"].shape == named["a"].shape
    assert (read_move("t2-to-t1.json").confidence or 0) > 0.5
    assert (tmp_path / "t2-to-t1.png").is_file()
