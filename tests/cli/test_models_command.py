"""`polyfuse models`: list, show, verify, import."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from polyfuse import list_models, registry
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet.official import fnet_key_map, to_official
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet import official as official_smfnet
from polyfuse.families.smfnet.official import write_checkpoint
from polyfuse.registry import loading
from polyfuse.weights.store import WeightsInfo, save_weights

Runner = Callable[..., Any]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file of the published layout with random values."""
    path = tmp_path / "FNet.pth"
    torch.save(to_official(FNet().state_dict(), fnet_key_map()), path)
    return path


def test_list_names_every_model_and_marks_the_default(polyfuse: Runner) -> None:
    ran = polyfuse("models", "list")
    assert (ran.code, ran.err) == (0, [])
    assert [line.split()[0] for line in ran.out] == [entry.name for entry in list_models()]
    assert [line.split()[0] for line in ran.out if line.endswith("(default)")] == [registry.DEFAULT]


def test_list_as_json_has_every_model(polyfuse: Runner) -> None:
    document = json.loads("\n".join(polyfuse("models", "list", "--json").out))
    assert document["schema"] == 1
    assert [model["name"] for model in document["models"]] == [entry.name for entry in list_models()]


@pytest.mark.parametrize("name", [entry.name for entry in list_models() if not entry.needs_weights])
def test_show_prints_what_a_model_declares(name: str, polyfuse: Runner) -> None:
    document = json.loads("\n".join(polyfuse("models", "show", name).out))
    assert (document["schema"], document["name"], document["spec"]["family"]) == (
        1,
        name,
        registry.load(name).spec.family,
    )


def test_show_of_weights_has_their_hash(polyfuse: Runner, fnet_weights: Path) -> None:
    document = json.loads("\n".join(polyfuse("models", "show", "fnet", "--weights", fnet_weights).out))
    assert document["weights_sha256"] == hashlib.sha256(fnet_weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("verb", ["show", "card"])
def test_case_of_a_name_does_not_matter(verb: str, polyfuse: Runner) -> None:
    assert polyfuse("models", verb, "FNET.Road").out == polyfuse("models", verb, "fnet.road").out != []


def test_show_of_an_unknown_model_names_the_nearest(polyfuse: Runner) -> None:
    assert (ran := polyfuse("models", "show", "averige")).code == 2
    assert "did you mean average" in ran.problem


def test_verify_of_good_weights_prints_file_name_and_hash(polyfuse: Runner, fnet_weights: Path) -> None:
    ran = polyfuse("models", "verify", fnet_weights)
    digest = hashlib.sha256(fnet_weights.read_bytes()).hexdigest()
    assert (ran.code, ran.out, ran.err) == (0, [f"{fnet_weights}  fnet.random  sha256 {digest}"], [])


def test_verify_without_a_file_checks_all_bundled_weights(polyfuse: Runner) -> None:
    ran = polyfuse("models", "verify")
    bundled = [entry.name for entry in list_models() if entry.weights]
    assert (ran.code, [line.split()[0] for line in ran.out]) == (0, bundled)
    assert "fnet.road" in bundled


@pytest.mark.parametrize("name", [entry.name for entry in list_models() if entry.weights])
def test_card_names_data_command_and_weights(name: str, polyfuse: Runner) -> None:
    ran = polyfuse("models", "card", name)
    text = "\n".join(ran.out)
    assert (ran.code, ran.out[0]) == (0, f"# {name}")
    assert all(f"\n## {part}\n" in text for part in ("Data", "Training", "Scores", "Limits"))
    assert "polyfuse evaluate" in text
    sha256 = registry.load(name).provenance.weights_sha256
    assert sha256 is not None
    assert sha256 in text


def test_card_of_a_model_without_weights_names_those_that_have_one(polyfuse: Runner) -> None:
    assert (ran := polyfuse("models", "card", "average")).code == 2
    assert "fnet.road" in ran.problem


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "missing"])
def test_verify_of_bad_weights_is_an_input_error(damage: str, polyfuse: Runner, fnet_weights: Path) -> None:
    content = fnet_weights.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    path = Path("w.safetensors")
    if damage != "missing":
        path.write_bytes({"cut": content[:-100], "flipped": flipped, "text": b"weights"}[damage])
    ran = polyfuse("models", "verify", path)
    assert (ran.code, ran.out) == (3, [])
    assert ran.problem.startswith("w.safetensors ")


def test_bundled_weights_that_differ_from_the_manifest_are_refused(
    polyfuse: Runner, fnet_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"family": "fnet", "file": str(fnet_weights), "sha256": "0" * 64, "summary": "a test"}
    monkeypatch.setattr(loading, "_manifest", lambda: {"fnet.test": facts})
    assert (ran := polyfuse("models", "verify")).code == 3
    assert "has SHA-256" in ran.problem or "damaged" in ran.problem


def test_import_writes_weights_and_card_and_says_how_to_use_them(polyfuse: Runner, checkpoint: Path) -> None:
    ran = polyfuse("models", "import", "fnet", checkpoint, "-o", "w.safetensors")
    assert (ran.code, ran.out) == (0, ["w.safetensors", "w.md"])
    assert ran.err == ["use it with: polyfuse fuse A B --model fnet --weights w.safetensors"]
    assert hashlib.sha256(checkpoint.read_bytes()).hexdigest() in Path("w.md").read_text()


def test_imported_weights_are_usable_and_verified(polyfuse: Runner, checkpoint: Path, pair: tuple[Path, Path]) -> None:
    polyfuse("models", "import", "fnet", checkpoint, "-o", "w.safetensors")
    assert polyfuse("models", "verify", "w.safetensors").code == 0
    assert polyfuse("fuse", *pair, "--model", "fnet", "--weights", "w.safetensors").code == 0


@pytest.mark.parametrize("existing", ["w.safetensors", "w.md"])
def test_import_replaces_nothing(existing: str, polyfuse: Runner, checkpoint: Path) -> None:
    Path(existing).write_text("mine")
    ran = polyfuse("models", "import", "fnet", checkpoint, "-o", "w.safetensors")
    assert (ran.code, ran.out) == (5, [])
    assert f"{existing} exists" in ran.problem
    assert {path.name for path in Path().iterdir()} == {"FNet.pth", existing}


@pytest.mark.parametrize(("name", "out"), [("ck.pth", "ck.pth"), ("ck.md", "ck.safetensors")])
def test_import_never_replaces_the_checkpoint(name: str, out: str, polyfuse: Runner, checkpoint: Path) -> None:
    source = checkpoint.rename(checkpoint.with_name(name))
    before = source.read_bytes()
    ran = polyfuse("models", "import", "fnet", source, "-o", out, "--overwrite")
    assert (ran.code, ran.out) == (5, [])
    assert f"{name} is an input and would be replaced" in ran.problem
    assert (source.read_bytes(), [path.name for path in Path().iterdir()]) == (before, [name])


def test_import_under_the_name_of_the_card_is_refused(polyfuse: Runner, checkpoint: Path) -> None:
    ran = polyfuse("models", "import", "fnet", checkpoint, "-o", "w.md")
    assert (ran.code, ran.problem) == (2, "w.md is the name of the card: name a .safetensors file.")
    assert not Path("w.md").exists()


def test_import_with_overwrite_replaces_both(polyfuse: Runner, checkpoint: Path) -> None:
    for name in ("w.safetensors", "w.md"):
        Path(name).write_text("old")
    assert polyfuse("models", "import", "fnet", checkpoint, "-o", "w.safetensors", "--overwrite").code == 0
    assert polyfuse("models", "verify", "w.safetensors").code == 0


def test_import_of_another_family_is_a_usage_error(polyfuse: Runner, checkpoint: Path) -> None:
    assert (ran := polyfuse("models", "import", "gnet", checkpoint, "-o", "w.safetensors")).code == 2
    assert "of 'gnet' to import: use fnet or smfnet" in ran.problem


@pytest.mark.parametrize(("key", "words"), [("net_u.w_theta", "lacks net_u.w_theta"), (None, "unexpected key extra")])
def test_import_of_another_layout_names_the_first_wrong_key(key: str | None, words: str, polyfuse: Runner) -> None:
    tensors = to_official(FNet().state_dict(), fnet_key_map())
    if key is None:
        tensors["extra"] = torch.zeros(1)
    else:
        del tensors[key]
    torch.save(tensors, "other.pth")
    assert (ran := polyfuse("models", "import", "fnet", "other.pth", "-o", "w.safetensors")).code == 3
    assert words in ran.problem


def test_import_of_a_missing_file_is_an_input_error(polyfuse: Runner) -> None:
    assert (ran := polyfuse("models", "import", "fnet", "gone.pth", "-o", "w.safetensors")).code == 3
    assert ran.problem.startswith("gone.pth cannot be read")


@pytest.fixture(scope="module")
def smfnet_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the layout that SMFNet's program writes, with random values."""
    path = tmp_path_factory.mktemp("smfnet") / "model.pth"
    write_checkpoint(path, official_smfnet.to_official(SMFNet().state_dict()))
    return path


def test_smfnet_goes_from_its_program_to_polyfuse_and_back(polyfuse: Runner, smfnet_checkpoint: Path) -> None:
    ran = polyfuse("models", "import", "smfnet", smfnet_checkpoint, "-o", "w.safetensors")
    assert (ran.code, ran.out) == (0, ["w.safetensors", "w.md"])
    assert ran.err == ["use it with: polyfuse fuse A B --model smfnet --weights w.safetensors"]
    ran = polyfuse("models", "export", "smfnet", "w.safetensors", "-o", "back.pth")
    assert (ran.code, ran.out, ran.err) == (0, ["back.pth"], [])
    before, after = (torch.load(path, weights_only=True) for path in (smfnet_checkpoint, "back.pth"))
    assert list(before) == list(after)
    for part, state in before.items():
        assert list(after[part]) == list(state)
        assert all(torch.equal(after[part][key], value) for key, value in state.items())


def test_imported_smfnet_fuses(polyfuse: Runner, smfnet_checkpoint: Path, pair: tuple[Path, Path]) -> None:
    polyfuse("models", "import", "smfnet", smfnet_checkpoint, "-o", "w.safetensors")
    assert polyfuse("fuse", *pair, "--model", "smfnet", "--weights", "w.safetensors").code == 0


def test_export_replaces_nothing(polyfuse: Runner, smfnet_checkpoint: Path) -> None:
    polyfuse("models", "import", "smfnet", smfnet_checkpoint, "-o", "w.safetensors")
    Path("back.pth").write_text("mine")
    assert (ran := polyfuse("models", "export", "smfnet", "w.safetensors", "-o", "back.pth")).code == 5
    assert "back.pth exists" in ran.problem
    assert polyfuse("models", "export", "smfnet", "w.safetensors", "-o", "back.pth", "--overwrite").code == 0


def test_export_of_another_family_is_a_usage_error(polyfuse: Runner, fnet_weights: Path) -> None:
    assert (ran := polyfuse("models", "export", "fnet", fnet_weights, "-o", "back.pth")).code == 2
    assert "weights of 'fnet' cannot be exported to a published layout: use smfnet, or onnx for" in ran.problem


def test_export_of_another_size_is_an_input_error(polyfuse: Runner) -> None:
    model = SMFNet(SMFNetConfig(channels=16))
    save_weights(Path("w.safetensors"), model.state_dict(), WeightsInfo("smfnet.x", "smfnet", model.config.to_json()))
    assert (ran := polyfuse("models", "export", "smfnet", "w.safetensors", "-o", "back.pth")).code == 3
    assert "encoder.embed.weight has shape (16, 1, 3, 3), not (64, 1, 3, 3)" in ran.problem


def test_weights_of_another_family_are_refused(
    polyfuse: Runner, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, fnet_weights: Path
) -> None:
    monkeypatch.setitem(registry.FAMILIES, "other", replace(registry.FAMILIES["fnet"], name="other"))
    assert (ran := polyfuse("fuse", *pair, "--model", "other", "--weights", fnet_weights)).code == 3
    assert "holds weights of fnet, not of other: pass --model fnet" in ran.problem
