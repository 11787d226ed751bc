"""From a name to a ready model: every registered one runs; unknown names and unfitting weights are refused."""

from pathlib import Path

import pytest
import torch

from polyfuse.errors import InputError, UsageError
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.families.fnet.official import fnet_key_map, from_official
from polyfuse.registry import DEFAULT, list_models, load
from polyfuse.weights.pickles import read_state
from polyfuse.weights.store import WeightsInfo, save_weights

READY = [entry.name for entry in list_models() if not entry.needs_weights]
CONFIG = FNetConfig().to_json()


def weights_file(path: Path, model: FNet, family: str = "fnet", **facts) -> Path:
    info = WeightsInfo("fnet.test", family, facts.pop("config", model.config.to_json()), **facts)
    save_weights(path, model.state_dict(), info)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, formula_fnet) -> Path:
    path = tmp_path_factory.mktemp("weights") / "fnet.safetensors"
    return weights_file(path, formula_fnet, luma="studio", rendering="official", source="formula")


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 2), (33, 50)], ids=str)
@pytest.mark.parametrize("name", READY)
def test_registered_model_fuses_any_size(name: str, size: tuple[int, int]) -> None:
    a, b = torch.rand(2, 2, 1, *size, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        fused = load(name)(a, b)
    assert fused.shape == a.shape
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("name", READY)
def test_registered_model_declares_possible_facts(name: str) -> None:
    spec = load(name).spec
    assert spec.parameters >= 0
    assert spec.macs_per_pixel >= 0
    assert spec.multiple_of >= 1
    assert spec.bytes_per_pixel >= 1
    assert spec.halo % spec.multiple_of == 0


@pytest.mark.parametrize("name", READY)
def test_registered_model_has_its_stated_number_of_parameters(name: str) -> None:
    model = load(name)
    assert sum(p.numel() for p in model.parameters()) == model.spec.parameters


@pytest.mark.parametrize("name", READY)
def test_registered_model_is_ready_for_evaluation(name: str) -> None:
    assert not load(name).training


@pytest.mark.parametrize("name", READY)
def test_registered_model_knows_its_name_and_source(name: str) -> None:
    provenance = load(name).provenance
    assert provenance.name == name
    assert provenance.source


@pytest.mark.parametrize("name", READY)
def test_registered_model_explains_its_result(name: str) -> None:
    model = load(name)
    a, b = torch.rand(2, 1, 1, 6, 7, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        torch.testing.assert_close(model.explain(a, b)["fused"], model(a, b), rtol=0, atol=1e-4)


def test_names_are_unique() -> None:
    names = [entry.name for entry in list_models()]
    assert len(set(names)) == len(names)


def test_default_is_ready() -> None:
    assert DEFAULT in READY


def test_auto_without_weights_is_the_default() -> None:
    assert load("auto").provenance.name == DEFAULT


@pytest.mark.parametrize(("wrong", "near"), [("fnte", "fnet"), ("laplacain", "laplacian"), ("averag", "average")])
def test_unknown_name_suggests_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"no model '{wrong}': did you mean {near}"):
        load(wrong)


def test_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(UsageError, match=r"average.*fnet.*laplacian.*maximum"):
        load("zzzzzzzz")


def test_architecture_without_weights_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"model fnet needs weights: pass --weights FILE"):
        load("fnet")


def test_classic_method_takes_no_weights(saved: Path) -> None:
    with pytest.raises(UsageError, match="model average takes no weights file"):
        load("average", weights=saved)


def test_weights_make_the_network_they_hold(saved: Path, formula_fnet) -> None:
    loaded = load("fnet", weights=saved).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in formula_fnet.state_dict().items())


def test_auto_with_weights_finds_their_family(saved: Path) -> None:
    assert load("auto", weights=saved).spec.family == "fnet"


def test_weights_bring_their_conventions(saved: Path) -> None:
    provenance = load("fnet", weights=str(saved)).provenance
    assert (provenance.name, provenance.luma, provenance.rendering) == ("fnet.test", "studio", "official")
    assert provenance.weights_sha256 is not None
    assert len(provenance.weights_sha256) == 64


def test_precision_is_passed_on(saved: Path) -> None:
    assert load("fnet", weights=saved, precision="bf16").precision == "bf16"


def test_weights_of_another_family_are_refused(tmp_path: Path, formula_fnet) -> None:
    path = weights_file(tmp_path / "w.safetensors", formula_fnet, family="smfnet")
    with pytest.raises(InputError, match="holds weights of smfnet, not of fnet"):
        load("fnet", weights=path)


def test_auto_with_weights_of_an_unknown_family_is_refused(tmp_path: Path, formula_fnet) -> None:
    path = weights_file(tmp_path / "w.safetensors", formula_fnet, family="nonesuch")
    with pytest.raises((InputError, UsageError), match="nonesuch"):
        load("auto", weights=path)


def test_weights_of_dae_fuse_bring_their_size_and_options(tmp_path: Path) -> None:
    model = DAEFuse(DAEFuseConfig.of_size("tiny", share_directions=True)).eval()
    path = tmp_path / "w.safetensors"
    save_weights(path, model.state_dict(), WeightsInfo("daefuse.test", "daefuse", model.config.to_json()))
    loaded = load("auto", weights=path, precision="bf16")
    model.precision = "bf16"
    assert (loaded.spec, loaded.precision) == (model.spec, "bf16")
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", [torch.float8_e5m2, torch.complex64, torch.bool])
def test_tensors_of_a_type_that_no_network_has_are_refused(kind: torch.dtype, tmp_path: Path, formula_fnet) -> None:
    tensors = {name: value.to(kind) for name, value in formula_fnet.state_dict().items()}
    info = WeightsInfo("fnet.test", "fnet", formula_fnet.config.to_json())
    save_weights(tmp_path / "w.safetensors", tensors, info)
    with pytest.raises(InputError, match=f"is of {kind}"):
        load("fnet", weights=tmp_path / "w.safetensors")


def test_weights_in_bfloat16_are_read(tmp_path: Path, formula_fnet) -> None:
    tensors = {name: value.bfloat16() for name, value in formula_fnet.state_dict().items()}
    info = WeightsInfo("fnet.test", "fnet", formula_fnet.config.to_json())
    save_weights(tmp_path / "w.safetensors", tensors, info)
    loaded = load("fnet", weights=tmp_path / "w.safetensors").state_dict()
    assert all(torch.equal(loaded[name], value.float()) for name, value in tensors.items())


def test_weights_of_a_family_that_is_not_there_are_an_input_error(tmp_path: Path, formula_fnet) -> None:
    path = weights_file(tmp_path / "w.safetensors", formula_fnet, family="fnet-9")
    with pytest.raises(InputError, match="weights of 'fnet-9'"):
        load("auto", weights=path)


def test_missing_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.safetensors cannot be read"):
        load("fnet", weights=tmp_path / "gone.safetensors")


def test_weights_that_do_not_fit_their_configuration_are_refused(tmp_path: Path, formula_fnet) -> None:
    config = {**CONFIG, "coder": {**CONFIG["coder"], "iterations": 3}}
    path = weights_file(tmp_path / "w.safetensors", formula_fnet, config=config)
    with pytest.raises(InputError, match="does not fit its own configuration"):
        load("fnet", weights=path)


@pytest.mark.parametrize(
    "config",
    [{}, {"coder": {}}, {"coder": {"unknown": 1}, "border": "zeros"}]
    + [
        {"coder": coder, "border": "zeros"}
        for coder in (
            {"channels": 0},
            {"channels": 10**6},
            {"channels": 4096, "kernel_size": 255},
            {"channels": float("nan")},
            {"channels": True},
            {"iterations": 10**7},
            {"iterations": 10**7, "share_convs": True},
            {"iterations": "4"},
            {"steepness": float("inf")},
            {"kernel_size": [9]},
            5,
        )
    ],
    ids=str,
)
def test_impossible_configuration_is_an_input_error(config: dict, tmp_path: Path, formula_fnet) -> None:
    path = weights_file(tmp_path / "w.safetensors", formula_fnet, config=config)
    with pytest.raises(InputError, match=r"w\.safetensors"):
        load("fnet", weights=path)


def test_unknown_convention_asks_for_a_newer_version(tmp_path: Path, formula_fnet) -> None:
    path = weights_file(tmp_path / "w.safetensors", formula_fnet, luma="bt2020")
    with pytest.raises(InputError, match="newer polyfuse"):
        load("fnet", weights=path)


def test_published_weights_go_through_our_file_unchanged(shared_dir: Path, tmp_path: Path, official_fnet) -> None:
    tensors, _ = read_state(shared_dir / "reference" / "fnet" / "FNet.pth")
    path = tmp_path / "w.safetensors"
    save_weights(path, from_official(tensors, fnet_key_map()), WeightsInfo("fnet.published", "fnet", CONFIG))
    a, b = torch.rand(2, 1, 1, 12, 50, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        fused = load("fnet", weights=path)(a, b)
        assert torch.equal(fused, official_fnet(a, b))
