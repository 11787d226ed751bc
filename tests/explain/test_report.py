"""`explain` finds what the model itself computes, and says what it cannot do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from polyfuse.errors import InputError, UsageError
from polyfuse.explain import Explanation, explain, save
from polyfuse.families.fnet.explained.findings import FNetFindings, Part
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.families.pyrfuse import PyrFuse, PyrFuseConfig
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, fuse
from polyfuse.io import Picture


def parts_of(explanation: Explanation) -> dict[str, Part]:
    assert isinstance(explanation.findings, FNetFindings)
    return explanation.findings.parts


def test_contributions_add_up_to_the_fused_luma(explanation: Explanation) -> None:
    total = sum(part.contribution for part in parts_of(explanation).values())
    # float32 sum of three in another order, values up to 20
    np.testing.assert_allclose(total, explanation.findings.fused_luma, rtol=0, atol=1e-5)


def test_maps_are_those_of_the_models_code(network: FNet) -> None:
    plane = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
    tensor = torch.from_numpy(plane)[None, None]
    code = network.explain(tensor, tensor)["code_v"][0]
    part = parts_of(explain(plane, plane, model=network))["v"]
    # the same code, reduced in another way
    np.testing.assert_allclose(part.energy, code.square().mean(0).sqrt(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(part.strongest, code[list(part.channels)])


def test_null_shares_are_those_of_the_models_estimates(network: FNet) -> None:
    plane = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
    tensor = torch.from_numpy(plane)[None, None]
    tensors = network.explain(tensor, tensor)
    estimates = parts_of(explain(plane, plane, model=network))["z"].estimates
    direct = [float((tensors[f"after_z.{k}"].abs() < 1e-3).double().mean()) for k in range(len(estimates))]
    assert [estimate.null_after for estimate in estimates] == direct


def test_fused_picture_is_that_of_fuse(explanation: Explanation, network: FNet, pair: tuple[Path, Path]) -> None:
    difference = explanation.fused.astype(int) - fuse(*pair, model=network).image
    assert np.abs(difference).max() <= 1  # another form of the network: rounding to 8 bits may differ


def test_mirrored_borders_are_explained_as_they_are_fused() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        model = FNet(FNetConfig(border="reflect")).eval()
    a, b = np.random.default_rng(2).random((2, 9, 7), np.float32)
    with torch.inference_mode():
        fused = model(*(torch.from_numpy(x)[None, None] for x in (a, b)))[0, 0].numpy()
    # fast form against plain form, values up to 20
    np.testing.assert_allclose(explain(a, b, model=model).findings.fused_luma, fused, rtol=0, atol=2e-3)


def test_large_pictures_are_reduced_with_a_note(network: FNet, pair: tuple[Path, Path]) -> None:
    explanation = explain(*pair, model=network, max_side=13)
    assert explanation.findings.fused_luma.shape == (9, 13)
    assert any("explained at 13x9" in note for note in explanation.notes)


def test_no_limit_takes_pictures_as_they_are(network: FNet, pair: tuple[Path, Path]) -> None:
    assert explain(*pair, model=network, max_side=None).findings.fused_luma.shape == (18, 26)


def test_same_stems_are_told_apart_by_their_folders(explanation: Explanation) -> None:
    assert explanation.names == ("ir/scene", "vi/scene")


def test_arrays_are_called_a_and_b(network: FNet) -> None:
    assert explain(*np.zeros((2, 3, 3), np.uint8), model=network).names == ("a", "b")


def test_long_names_lose_their_middle(network: FNet) -> None:
    a, b = (Picture(np.zeros((3, 3), np.uint8), Path(f"{'x' * 80}{name}.png")) for name in "ab")
    assert explain(a, b, model=network).names == ("x" * 13 + "…" + "x" * 12 + "a", "x" * 13 + "…" + "x" * 12 + "b")


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 2)])
def test_tiny_pictures_are_explained(network: FNet, size: tuple[int, int]) -> None:
    explanation = explain(*np.zeros((2, *size), np.uint8), model=network)
    assert parts_of(explanation)["u"].energy.shape == size


@pytest.mark.parametrize("model", ["average", "maximum", "laplacian"])
def test_model_with_nothing_to_show_is_refused_with_those_that_have_something(
    model: str, pair: tuple[Path, Path]
) -> None:
    with pytest.raises(
        UsageError,
        match=rf"model {model} has nothing to show .* smfnet, daefuse, pyrfuse, pyrfuse-t with --model",
    ):
        explain(*pair, model=model)


def test_sources_of_different_size_are_refused(network: FNet) -> None:
    with pytest.raises(InputError, match="a is 3x3 but b is 5x4"):
        explain(np.zeros((3, 3), np.uint8), np.zeros((4, 5), np.uint8), model=network)


def test_deep_thermal_source_is_seen_through_the_window_that_fuse_takes(network: FNet) -> None:
    thermal = np.linspace(7000, 7100, 256, dtype=np.uint16).reshape(16, 16)
    explanation = explain(thermal, np.zeros((16, 16), np.uint8), model=network)
    assert (explanation.source_a.min(), explanation.source_a.max()) == (0, 255)
    assert any(note.startswith("a has 16 bits") for note in explanation.notes)


def test_swap_and_polarity_are_those_of_fuse(pair: tuple[Path, Path], network: FNet) -> None:
    plain = explain(*pair, model=network)
    swapped = explain(*reversed(pair), model=network, options=FuseOptions(swap=True))
    np.testing.assert_array_equal(plain.fused, swapped.fused)
    turned = explain(*pair, model=network, options=FuseOptions(polarity="black-hot"))
    np.testing.assert_array_equal(turned.source_a, 255 - plain.source_a)
    np.testing.assert_array_equal(turned.fused, fuse(*pair, model=network, polarity="black-hot").image)


def test_resize_brings_sources_to_one_size(network: FNet) -> None:
    options = FuseOptions(resize="a")
    explanation = explain(np.zeros((3, 3), np.uint8), np.zeros((4, 5), np.uint8), model=network, options=options)
    assert explanation.source_a.shape == (4, 5)


def test_stretch_is_that_of_fuse(pair: tuple[Path, Path], small_smfnet: Callable[..., FusionModel]) -> None:
    for wanted in ("auto", "none", "percentile:5,95"):
        options = FuseOptions(stretch=wanted)
        explained = explain(*pair, model=small_smfnet(), options=options).fused
        expected = fuse(*pair, model=small_smfnet(), options=options).image
        # explained by the plain form, fused by the fast one: their last bits may round to neighbours
        assert np.abs(explained.astype(int) - expected.astype(int)).max() <= 1


def test_explanation_says_what_it_is_and_not_its_pixels(explanation: Explanation) -> None:
    height, width = explanation.fused.shape[:2]
    assert repr(explanation) == f"Explanation({explanation.record['model']}, {width}x{height})"


def test_content_of_files_and_pictures_of_pillow_are_explained_too(
    explanation: Explanation, network: FNet, pair: tuple[Path, Path]
) -> None:
    with Image.open(pair[1]) as visible:
        explained = explain(pair[0].read_bytes(), visible, model=network)
    np.testing.assert_array_equal(explained.fused, explanation.fused)


def test_pyrfuse_is_drawn_and_told_in_numbers(pair: tuple[Path, Path], tmp_path: Path) -> None:
    model = PyrFuse(PyrFuseConfig(levels=3, channels=4, context=2)).eval()
    written = [path.name for path in save(explain(*pair, model=model), tmp_path / "out")]
    assert written == ["overview.png", "numbers.json"]
    told = (tmp_path / "out/numbers.json").read_text(encoding="utf-8")
    assert told.count('"share_of_a"') == 3
    assert '"base_weight_of_a"' in told
