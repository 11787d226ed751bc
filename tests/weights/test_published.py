"""Checkpoints of other people: strict keys, several files, what is said of licences, and nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse import cli, registry
from polyfuse.io import write_picture
from polyfuse.registry import FAMILIES
from polyfuse.weights.published import COUNTER, Published, published_names
from polyfuse.weights.store import load_weights

TENSORS = {"seafusion": 72, "ifcnn": 15, "densefuse": 16, "mmdrfuse": 4, "auif": 186, "tardal": 46}
PEERS = list(TENSORS)
Run = Callable[..., tuple[int, list[str], list[str]]]


def facts(family: str) -> Published:
    found = registry.published(family)
    assert found is not None
    return found


def layout(family: str) -> dict[str, Tensor]:
    """A state dictionary in the published layout, random values."""
    state = FAMILIES[family].build({}).state_dict()
    names = published_names(facts(family), state)
    return {key: state[name] for key, name in names.items()} | {key: torch.ones(1) for key in facts(family).unused}


def write(family: str, tensors: dict[str, Tensor]) -> Path:
    """A checkpoint with these tensors, in as many files as are published; the path to import."""
    files = facts(family).files
    if len(files) == 1:
        torch.save(tensors, files[0])
        return Path(files[0])
    Path("folder").mkdir(exist_ok=True)
    keys = list(tensors)
    for index, name in enumerate(files):
        torch.save({key: tensors[key] for key in keys[index :: len(files)]}, Path("folder", name))
    return Path("folder")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`(ARGUMENTS) -> exit code, lines on stdout, lines on stderr` of the command, in the test's own folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, list[str], list[str]]:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return call


@pytest.mark.parametrize("family", PEERS)
def test_layout_has_the_published_number_of_tensors(family: str) -> None:
    assert len(layout(family)) == TENSORS[family]


@pytest.mark.parametrize("family", PEERS)
def test_imported_checkpoint_fuses(family: str, run: Run) -> None:
    source = write(family, tensors := layout(family))
    code, out, err = run("models", "import", family, source, "-o", "w.safetensors")
    assert (code, out) == (0, ["w.safetensors", "w.md"])
    assert err[-1] == f"use it with: polyfuse fuse A B --model {family} --weights w.safetensors"
    assert err[:-1] == ([] if family == "seafusion" else [facts(family).note])
    saved, info, _ = load_weights(Path("w.safetensors"))
    assert info.licence == "not stated"  # random values are not the published ones
    assert all(torch.equal(saved[name], tensors[key]) for key, name in published_names(facts(family), saved).items())
    for name in "ab":
        write_picture(Path(f"{name}.png"), np.random.default_rng(3).integers(0, 256, (12, 16), dtype=np.uint8))
    assert run("models", "verify", "w.safetensors")[0] == 0
    assert run("fuse", "a.png", "b.png", "--model", family, "--weights", "w.safetensors", "-o", "f.png")[0] == 0


@pytest.mark.parametrize("family", PEERS)
@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_other_keys_are_refused_by_name(family: str, change: str, run: Run) -> None:
    tensors = layout(family)
    key = next(key for key in reversed(tensors) if not key.endswith(COUNTER))
    if change == "missing":
        del tensors[key]
    else:
        tensors["extra"] = torch.zeros(1)
    code, out, err = run("models", "import", family, write(family, tensors), "-o", "w.safetensors")
    words = f"lacks {key}" if change == "missing" else "has the unexpected key extra"
    assert (code, out, len(err)) == (3, [], 1)
    assert f"the checkpoint {words}: it is not the published {facts(family).name} layout of {TENSORS[family]}" in err[0]
    assert not Path("w.safetensors").exists()


def test_another_shape_is_refused_by_name(run: Run) -> None:
    tensors = layout("densefuse") | {"conv5.conv2d.weight": torch.zeros(3, 16, 3, 3)}
    code, _, err = run("models", "import", "densefuse", write("densefuse", tensors), "-o", "w.safetensors")
    assert (code, "has shape (3, 16, 3, 3), not (1, 16, 3, 3)" in err[0]) == (3, True)


def test_checkpoint_of_another_network_is_refused(run: Run) -> None:
    code, _, err = run("models", "import", "tardal", write("mmdrfuse", layout("mmdrfuse")), "-o", "w.safetensors")
    assert (code, "not the published TarDAL layout" in err[0]) == (3, True)


def test_counters_that_an_old_pytorch_did_not_write_are_filled_in(run: Run) -> None:
    tensors = {key: value for key, value in layout("ifcnn").items() if not key.endswith(COUNTER)}
    assert len(tensors) == 13
    assert run("models", "import", "ifcnn", write("ifcnn", tensors), "-o", "w.safetensors")[0] == 0
    assert load_weights(Path("w.safetensors"))[0][f"refine.norm.{COUNTER}"].item() == 0


def test_one_file_of_several_is_refused_with_the_names_of_all(run: Run) -> None:
    folder = write("auif", layout("auif"))
    code, _, err = run("models", "import", "auif", folder / "TCSVT_Decoder.model", "-o", "w.safetensors")
    assert (code, "is one of 3 files: give the folder with TCSVT_Encoder_Base.model" in err[0]) == (3, True)


@pytest.mark.parametrize("source", ["gone", "folder"])
def test_missing_file_of_several_is_named(source: str, run: Run) -> None:
    (write("auif", layout("auif")) / "TCSVT_Encoder_Detail.model").unlink()
    code, _, err = run("models", "import", "auif", source, "-o", "w.safetensors")
    missing = Path(source, "TCSVT_Encoder_Base.model" if source == "gone" else "TCSVT_Encoder_Detail.model")
    assert (code, f"{missing} cannot be read" in err[0]) == (3, True)


def test_key_in_two_files_is_refused(run: Run) -> None:
    folder = write("auif", tensors := layout("auif"))
    torch.save(tensors, folder / "TCSVT_Decoder.model")
    code, _, err = run("models", "import", "auif", folder, "-o", "w.safetensors")
    assert (code, "which another file holds too" in err[0]) == (3, True)


@pytest.mark.parametrize("name", ["TCSVT_Decoder.model", "TCSVT_Encoder_Base.model"])
def test_no_file_of_several_is_replaced(name: str, run: Run) -> None:
    folder = write("auif", layout("auif"))
    before = (folder / name).read_bytes()
    code, _, err = run("models", "import", "auif", folder, "-o", folder / name, "--overwrite")
    assert (code, "is an input and would be replaced" in err[0]) == (5, True)
    assert (folder / name).read_bytes() == before


def test_checkpoint_that_would_run_code_is_refused(run: Run) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (Path("ran"),))

    torch.save(layout("mmdrfuse") | {"conv1.1.weight": Payload()}, "student.model")
    code, _, err = run("models", "import", "mmdrfuse", "student.model", "-o", "w.safetensors")
    assert (code, "refused, it holds more than tensors" in err[0], Path("ran").exists()) == (3, True, False)


@pytest.mark.parametrize(
    ("name", "saved", "statistics"),
    [
        ("tardal.pt", "tardal.imported", "picture"),
        ("tardal+.pt", "tardal+.imported", "stored"),
        ("tardal++.pt", "tardal++.imported", "stored"),
        ("mine.pt", "tardal.imported", "picture"),
    ],
)
def test_training_of_tardal_decides_the_statistics(name: str, saved: str, statistics: str, run: Run) -> None:
    torch.save(layout("tardal"), name)
    assert run("models", "import", "tardal", name, "-o", "w.safetensors")[0] == 0
    info = load_weights(Path("w.safetensors"))[1]
    assert (info.name, info.config) == (saved, {"statistics": statistics})


@pytest.mark.parametrize("family", PEERS)
def test_show_without_weights_says_where_they_are(family: str, run: Run) -> None:
    code, out, err = run("models", "show", family.upper())
    document = json.loads("\n".join(out))
    assert (code, document["name"], document["spec"]["family"]) == (0, family, family)
    assert document["weights"] == facts(family).to_json()
    assert err == ([] if facts(family).licensed else [facts(family).note])


def test_notes_on_licences_are_quiet_if_asked(run: Run) -> None:
    assert run("models", "show", "auif", "--quiet")[2] == []


@pytest.mark.parametrize("verb", ["fuse", "explain"])
def test_model_without_weights_is_one_line_with_what_to_do(verb: str, run: Run) -> None:
    for name in "ab":
        write_picture(Path(f"{name}.png"), np.zeros((8, 8), np.uint8))
    code, out, err = run(verb, "a.png", "b.png", "--model", "seafusion", "-o", {"fuse": "f.png"}.get(verb, "out"))
    assert (code, out, len(err)) == (2, [], 1)
    assert f"get SeAFusion.pth ({facts('seafusion').where}), run `{facts('seafusion').command}`" in err[0]


def test_published_files_are_recognised(shared_dir: Path, tmp_path: Path) -> None:
    folder = shared_dir / "reference" / "peers"
    if not folder.is_dir():
        pytest.skip("the reference folder has no checkpoints of other people")
    given = {facts(family).name: folder / facts(family).name / facts(family).files[0] for family in PEERS}
    given |= {"AUIF": folder / "AUIF", "TarDAL++": folder / "TarDAL++" / "tardal++.pt"}
    for name, source in given.items():
        family, out = name.lower().rstrip("+"), tmp_path / f"{name}.safetensors"
        registry.import_checkpoint(family, source, out)
        info = load_weights(out)[1]
        assert (info.name, info.licence) == (f"{name.lower()}.official", facts(family).licence)
