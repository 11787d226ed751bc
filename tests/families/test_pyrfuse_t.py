"""What PyrFuse-T promises for any weights and any input, in float32, in bfloat16 and without the compiled filters."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from polyfuse import fuse, load
from polyfuse.errors import InputError, UsageError
from polyfuse.families.pyrfuse import PyrFuse, PyrFuseConfig, PyrFuseT, PyrFuseTConfig, fast
from polyfuse.families.pyrfuse.explained import find
from polyfuse.ops import native_pyramid
from polyfuse.ops.pyramid import expand
from polyfuse.scenes import SceneConfig, render_scene
from polyfuse.weights.store import WeightsInfo, save_weights

SMALL = PyrFuseTConfig(levels=3, channels=4, context=3)
SIZES = [(1, 1), (1, 9), (7, 2), (17, 33), (97, 130)]
ROUNDING = 2e-6


def fresh(config: PyrFuseTConfig | None = None, *, loud: bool = False) -> PyrFuseT:
    """A network of seeded weights; loud ones correct by as much as the energies say."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = PyrFuseT(config)
        if loud:
            for network in (model.detail, model.base):
                for parameter in cast(nn.Conv2d, network[-1]).parameters():
                    nn.init.normal_(parameter)
    return model.eval().requires_grad_(False)


@pytest.fixture(params=[PyrFuseTConfig(), SMALL], ids=str)
def model(request: pytest.FixtureRequest) -> PyrFuseT:
    return fresh(request.param, loud=True)


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_works_and_the_pictures_of_a_batch_do_not_touch(model: PyrFuseT, size: tuple[int, int]) -> None:
    a, b = random_pair(2, 1, *size)
    both = model(a, b)
    assert (both.shape, both.dtype) == (a.shape, torch.float32)
    # sums may be ordered otherwise for a batch
    torch.testing.assert_close(both[1:], model(a[1:], b[1:]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_detail_of_a_source_is_amplified_and_nothing_else_is_added(model: PyrFuseT, size: tuple[int, int]) -> None:
    a, b = random_pair(1, 1, *size)
    made = model.fuse(a, b)
    fused = made.base_weight * made.coarse[-1].a + (1 - made.base_weight) * made.coarse[-1].b
    for (x, y), coarse, choice in zip(*(part[::-1] for part in (made.sources, made.coarse, made.choices)), strict=True):
        for factor in (choice.factor_a, choice.factor_b):
            assert 0 <= factor.min() <= factor.max() <= 1 + 1e-6
        fused = expand(fused, x.shape)
        for source, low, factor in ((x, coarse.a, choice.factor_a), (y, coarse.b, choice.factor_b)):
            fused = fused + expand(factor, x.shape) * (source - expand(low, x.shape))
    torch.testing.assert_close(made.fused, fused, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_identical_sources_come_back_whatever_the_weights(
    model: PyrFuseT, size: tuple[int, int], precision: Any
) -> None:
    a, _ = random_pair(1, 1, *size)
    model.precision = precision
    torch.testing.assert_close(model(a, a), a, rtol=0, atol=ROUNDING)


def test_fresh_network_keeps_both_details_where_they_have_nothing_in_common() -> None:
    a, b = torch.full((1, 1, 64, 64), 0.5), torch.full((1, 1, 64, 64), 0.5)
    a[..., :20, :] += 0.2 * random_pair(1, 1, 20, 64)[0]
    b[..., 44:, :] += 0.2 * random_pair(1, 1, 20, 64)[1]
    fused = fresh()(a, b)
    for source, rows in ((a, slice(0, 16)), (b, slice(48, 64))):
        joint = torch.stack([fused[0, 0, rows].flatten(), source[0, 0, rows].flatten()])
        assert torch.corrcoef(joint)[0, 1] > 0.98
        assert fused[0, 0, rows].std() > 0.9 * source[0, 0, rows].std()


@pytest.mark.parametrize("size", [(3, 5), (97, 130)], ids=str)
def test_compiled_filters_change_rounding_alone(
    model: PyrFuseT, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = random_pair(2, 1, *size)
    compiled = model(*pair)
    monkeypatch.setattr(native_pyramid, "takes", lambda *_: False)
    torch.testing.assert_close(compiled, model(*pair), rtol=0, atol=5e-6)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (70, 33)], ids=str)
def test_convolutions_in_bfloat16_are_those_of_the_network(
    size: tuple[int, int], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, x = fresh(loud=True).detail, random_pair(2, 14, *size)[0]
    monkeypatch.setattr(fast, "threads", lambda: count)
    with torch.no_grad():
        found, wanted = fast.convolved(network, x), network(x)
    # two layers of 8 bits: measured 0.009 of the largest value
    assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_bfloat16_stays_within_a_grey_level() -> None:
    scene = render_scene(SceneConfig(width=192, height=128, seed=1))
    model = load("pyrfuse-t.road", precision="bf16")
    exact = load("pyrfuse-t.road")
    grey = scene.visible.mean(axis=2).astype(np.uint8)
    levels = [fuse(scene.thermal, grey, model=each).image.astype(int) for each in (exact, model)]
    assert np.abs(levels[0] - levels[1]).max() <= 2
    assert np.abs(levels[0] - levels[1]).mean() < 0.1


@pytest.mark.parametrize("levels", [3, 4])
def test_pixel_reaches_as_far_as_declared_and_no_further(levels: int) -> None:
    model = fresh(PyrFuseTConfig(levels=levels, channels=4, context=2))
    radius = model.spec.receptive_radius
    assert radius is not None
    width, reached = 2 * radius + 2 ** (levels + 1) + 40, 0
    for place in range(radius + 9, radius + 9 + 2**levels):  # every place on the coarse grid
        for source in (0, 1):
            pair = torch.rand(2, 1, 1, 1, width)
            pair[source, ..., place] = torch.nan  # what it touches is no number, however little it would change
            touched = model(*pair)[0, 0, 0].isnan().nonzero()
            reached = max(reached, int((touched - place).abs().max()))
    assert reached == radius


def test_declared_multiply_accumulates_are_those_that_are_counted(model: PyrFuseT) -> None:
    with FlopCounterMode(display=False) as counter:
        model(*random_pair(1, 1, 512, 512))
    assert model.spec.macs_per_pixel == round(counter.get_total_flops() / 2 / 512**2)


@pytest.mark.parametrize("keep_black", [False, True])
def test_black_in_both_stays_exactly_black_if_asked_for(keep_black: bool) -> None:
    model, (a, b) = fresh(PyrFuseTConfig(keep_black=keep_black), loud=True), random_pair(1, 1, 40, 40)
    a[..., 10:20], b[..., 5:15] = 0, 0
    black = (a == 0) & (b == 0)
    fused = model(a, b)
    assert (fused[black].abs().max().item() == 0) is keep_black
    assert (fused[~black] != 0).all()


def test_tiled_picture_is_the_whole_one(rng: np.random.Generator) -> None:
    a, b = rng.random((2, 21, 517), dtype=np.float32)
    model = fresh(SMALL, loud=True)
    whole, tiled = fuse(a, b, model=model, memory=1 << 40), fuse(a, b, model=model, tile=100)
    assert (whole.record["run"]["tiles"], tiled.record["run"]["tiles"] > 1) == (1, True)
    np.testing.assert_allclose(tiled.image, whole.image, rtol=0, atol=1e-5)


def test_configuration_round_trips_and_weights_make_the_network_they_hold(tmp_path: Path) -> None:
    config = PyrFuseTConfig(levels=4, channels=6, context=2, keep_black=True)
    assert PyrFuseTConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    model, path = fresh(config), tmp_path / "w.safetensors"
    save_weights(path, model.state_dict(), WeightsInfo("pyrfuse-t.test", "pyrfuse-t", model.configuration()))
    loaded = load("auto", weights=path)
    assert (loaded.spec.family, loaded.configuration()) == ("pyrfuse-t", config.to_json())
    pair = random_pair(1, 1, 20, 30)
    with torch.no_grad():
        assert torch.equal(loaded(*pair), model(*pair))


@pytest.mark.parametrize("wrong", [{"levels": 2}, {"levels": 9}, {"channels": 0}, {"context": 1}, {"levels": 4.0}])
def test_configuration_of_no_network_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"correct (it|them)\."):
        PyrFuseTConfig(**wrong)


def test_explained_names_are_those_of_pyrfuse_and_the_picture_is_the_networks(model: PyrFuseT) -> None:
    a, b = random_pair(1, 1, 21, 30)
    explained = model.explain(a, b)
    assert explained.keys() == PyrFuse(PyrFuseConfig(levels=model.config.levels)).explain(a, b).keys()
    assert torch.equal(explained["fused"], model(a, b))
    parts = sum(explained[f"from_{source}_0"] for source in "ab")
    rest = explained["fused"] - parts  # is smooth: the expanded coarser level
    assert rest.diff(dim=-1).abs().mean() < 0.6 * explained["fused"].diff(dim=-1).abs().mean()
    assert 0.9 < find(model, a, b).fused_luma.std() / float(explained["fused"].std(correction=0)) < 1.1


def test_sources_of_two_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(1, 1, 4, 4\) and b \(1, 1, 4, 5\)"):
        fresh(SMALL)(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))
