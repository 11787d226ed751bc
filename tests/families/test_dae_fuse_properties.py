"""What holds for DAE-Fuse whatever its weights: sizes, batches, the fresh fusion, symmetry, black, arithmetic."""

from dataclasses import replace
from typing import cast

import pytest
import torch
from torch import Tensor

from polyfuse.errors import InputError, UsageError
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig, Discriminator
from polyfuse.families.daefuse.blocks import ResidualBlock
from polyfuse.families.daefuse.discriminator import SpectralNorm
from polyfuse.families.daefuse.tokens import pooling_factor
from polyfuse.ops.entropy import normalised_entropy

TINY = DAEFuseConfig.of_size("tiny")


def random_pair(height: int, width: int, batch: int = 1) -> Tensor:
    return torch.rand(2, batch, 1, height, width, generator=torch.Generator().manual_seed(11))


@pytest.fixture(scope="module")
def fresh() -> DAEFuse:
    torch.manual_seed(3)
    return DAEFuse(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def filled(formula_dae_fuse, small_dae) -> DAEFuse:
    return formula_dae_fuse(small_dae).float().requires_grad_(False)


def encoded(model: DAEFuse, pair: Tensor) -> list[Tensor]:
    return [model.encode(model.frame(picture).pad(picture), source) for picture, source in zip(pair, "ab", strict=True)]


def test_fresh_fusion_is_the_mean_of_both_embeddings_exactly(fresh) -> None:
    pair = random_pair(37, 53)
    a, b = encoded(fresh, pair)
    assert torch.equal(fresh.merge(a, b), (a + b) / 2)
    assert torch.equal(fresh.fuse(*pair), fresh.frame(pair[0]).crop(fresh.decode((a + b) / 2)))


@pytest.mark.parametrize(
    "change", [{"share_directions": True}, {"qk_norm": False}, {"cross_attention": False}], ids=str
)
def test_fresh_fusion_of_variants_is_the_mean_too(change: dict, small_dae) -> None:
    model = DAEFuse(replace(small_dae, **change)).eval()
    a, b = encoded(model, random_pair(16, 16))
    assert torch.equal(model.merge(a, b), (a + b) / 2)


def test_fresh_residual_block_keeps_what_is_not_negative() -> None:
    x = torch.rand(1, 6, 5, 4)
    assert torch.equal(ResidualBlock(6, 6)(x), x)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (15, 15), (16, 16), (17, 19), (37, 53), (64, 64)], ids=str)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_any_size_comes_back_in_its_size(size: tuple[int, int], mode: str, filled) -> None:
    a, b = random_pair(*size)
    filled.train(mode == "train")
    fused, (found_a, found_b) = filled(a, b), filled.reconstruct(a, b)
    filled.eval()
    for picture in (fused, found_a, found_b):
        assert picture.shape == a.shape
        assert torch.isfinite(picture).all()


@pytest.mark.slow  # 7 s on one thread
def test_large_picture_comes_back_in_its_size(filled) -> None:
    a, b = random_pair(480, 640)
    fused = filled(a, b)
    assert fused.shape == a.shape
    assert torch.isfinite(fused).all()


def test_shapes_within_are_the_specified_ones(fresh) -> None:
    shapes = {}
    places = {"shallow": "shallow.all", "tokens": "low.all.blocks.1", "high": "high.all", "low": "low.all"}
    handles = [
        fresh.get_submodule(place).register_forward_hook(
            lambda _, x, y, name=name: shapes.update({name: tuple(y.shape)})
        )
        for name, place in places.items()
    ]
    embedding = fresh.encode(random_pair(64, 64)[0])
    for handle in handles:
        handle.remove()
    whole = (64, 64)
    assert shapes == {
        "shallow": (1, 16, *whole),
        "tokens": (1, 64, 48),
        "high": (1, 16, *whole),
        "low": (1, 16, *whole),
    }
    assert embedding.shape == (1, 32, *whole)
    assert fresh.fusion.evidence(embedding, embedding)["a"].received.shape == (1, 1, 8, 8)


def test_work_size_has_a_margin_outside_training_alone(fresh) -> None:
    picture = random_pair(17, 24)[0]
    assert fresh.frame(picture).pad(picture).shape[-2:] == (40, 40)
    training = replace(fresh.frame(picture), margin=0)
    assert training.pad(picture).shape[-2:] == (24, 24)
    whole = random_pair(24, 16)[0]
    assert replace(fresh.frame(whole), margin=0).pad(whole) is whole


def test_margin_mirrors_the_picture_once(fresh) -> None:
    picture = random_pair(18, 24)[0]
    padded = fresh.frame(picture).pad(picture)
    expected = torch.nn.functional.pad(picture, (8, 8, 8, 8 + 6), mode="reflect")
    assert torch.equal(padded, expected)
    assert torch.equal(fresh.frame(picture).crop(padded), picture)


def test_small_picture_is_continued_by_its_edge_before_it_is_mirrored(fresh) -> None:
    picture = random_pair(3, 20)[0]
    continued = torch.nn.functional.pad(picture, (0, 0, 0, 13), mode="replicate")
    assert torch.equal(fresh.frame(picture).pad(picture), fresh.frame(continued).pad(continued))


@pytest.mark.parametrize(
    ("size", "grid", "factor"), [((480, 640), (62, 82), 2), ((240, 320), (32, 42), 1), ((1024, 1024), (130, 130), 3)]
)
def test_keys_are_pooled_from_4096_tokens_on(size: tuple, grid: tuple, factor: int, fresh) -> None:
    picture = torch.zeros(1, 1, *size)
    work = fresh.frame(picture).pad(picture).shape[-2:]
    assert tuple(side // 8 for side in work) == grid
    assert pooling_factor(grid) == factor


def test_pooled_keys_are_means_over_squares_cut_off_at_the_border(formula_dae_fuse, monkeypatch, small_dae) -> None:
    block = formula_dae_fuse(small_dae).low["all"].blocks[0]
    tokens = torch.rand(1, 15, 24, dtype=torch.float64)
    monkeypatch.setattr("polyfuse.families.daefuse.tokens.MAX_KEYS", 6)  # of 3 x 5 tokens: squares of 2
    query, key, value = block.project_in(tokens).chunk(3, dim=-1)
    squares = [(r, c) for r in ((0, 1), (2,)) for c in ((0, 1), (2, 3), (4,))]
    members = [[5 * row + column for row in rows for column in columns] for rows, columns in squares]
    key, value = (torch.stack([x[:, m].mean(dim=1) for m in members], dim=1) for x in (key, value))
    heads = []
    for part in torch.arange(24).chunk(3):
        products = query[..., part] @ key[..., part].mT / 8**0.5
        heads.append(products.softmax(dim=-1) @ value[..., part])
    torch.testing.assert_close(block._attention(tokens, (3, 5)), torch.cat(heads, dim=-1))


def test_same_pair_gives_the_same_bits(filled) -> None:
    pair = random_pair(37, 53)
    assert torch.equal(filled(*pair), filled(*pair))


def test_pictures_of_a_batch_do_not_touch_each_other(filled) -> None:
    pair = random_pair(21, 30, batch=2)
    single = torch.cat([filled(*pair[:, k : k + 1]) for k in (0, 1)])
    torch.testing.assert_close(filled(*pair), single, rtol=0, atol=1e-5)


def test_fresh_network_makes_a_picture_with_itself_its_reconstruction(fresh) -> None:
    x = random_pair(24, 31)[0]
    torch.testing.assert_close(fresh(x, x), fresh.reconstruct(x, x)[0], rtol=0, atol=1e-6)


def test_shared_directions_make_it_symmetric(formula_dae_fuse, filled, small_dae) -> None:
    pair = random_pair(20, 24)
    symmetric = formula_dae_fuse(replace(small_dae, share_directions=True)).float()
    torch.testing.assert_close(symmetric(*pair), symmetric(*pair.flip(0)), rtol=0, atol=1e-5)
    assert not torch.allclose(filled(*pair), filled(*pair.flip(0)), rtol=0, atol=1e-4)


def test_own_encoders_encode_each_source_their_own_way(formula_dae_fuse, small_dae) -> None:
    model = formula_dae_fuse(replace(small_dae, shared_encoder=False)).float()
    x = random_pair(16, 16)[0]
    found_a, found_b = model.reconstruct(x, x)
    assert not torch.allclose(found_a, found_b, rtol=0, atol=1e-4)


def test_highpass_hides_what_is_constant_from_the_high_branch(formula_dae_fuse, small_dae) -> None:
    model = formula_dae_fuse(replace(small_dae, dhe_highpass=True)).float()
    high = model.high["all"]
    x = torch.rand(1, 8, 16, 16)
    torch.testing.assert_close(high(x), high(x + 3), rtol=0, atol=1e-5)


def test_black_stays_black_where_asked(formula_dae_fuse, small_dae) -> None:
    a, b = random_pair(16, 20)
    a[..., :9, :7] = 0
    b[..., 4:, :7] = 0
    fused = formula_dae_fuse(replace(small_dae, keep_black=True)).float()(a, b)
    assert torch.equal(fused == 0, (a == 0) & (b == 0))


@pytest.mark.parametrize(("qk_norm", "least", "most"), [(False, 0.99, 1.0), (True, 0.97, 0.9985)])
def test_entropy_of_a_fresh_attention(qk_norm: bool, least: float, most: float) -> None:
    torch.manual_seed(3)
    model = DAEFuse(replace(TINY, qk_norm=qk_norm)).eval()
    found = model.attention_statistics(*random_pair(64, 64))
    assert least < found["entropy_a"] < most
    assert least < found["entropy_b"] < most


def test_entropy_is_one_for_uniform_and_zero_for_certain_probabilities() -> None:
    uniform, certain = torch.full((5,), 0.2), torch.eye(5)[2]
    assert normalised_entropy(torch.stack([uniform, certain])).tolist() == pytest.approx([1, 0], abs=1e-6)
    assert normalised_entropy(torch.ones(3, 1)).tolist() == [0, 0, 0]


def test_bf16_is_near_float32(formula_dae_fuse, small_dae) -> None:
    model, pair = formula_dae_fuse(small_dae).float(), random_pair(24, 24)
    with torch.no_grad():
        exact = model(*pair)
        model.precision = "bf16"
        found = model(*pair)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, exact, rtol=0, atol=0.02)


def test_bf16_leaves_float32_gradients(formula_dae_fuse, small_dae) -> None:
    model = formula_dae_fuse(small_dae).float().train()
    model.precision = "bf16"
    model(*random_pair(16, 16)).mean().backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in model.parameters()
    )


def test_pictures_of_unlike_sizes_are_refused(fresh) -> None:
    with pytest.raises(InputError, match="pass two"):
        fresh(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 17))


def test_encoder_asks_for_a_work_size(fresh) -> None:
    with pytest.raises(InputError, match="20x16 is no work size: pad"):
        fresh.encode(torch.rand(1, 1, 20, 16))


@pytest.mark.parametrize("size", [(16, 16), (33, 50)], ids=str)
@pytest.mark.parametrize("kind", ["none", "conv", "all"])
def test_discriminator_gives_a_logit_per_picture_of_any_size(kind: SpectralNorm, size: tuple[int, int]) -> None:
    assert Discriminator((4, 6, 6, 8), kind)(torch.rand(3, 1, *size)).shape == (3,)


@pytest.mark.parametrize(("kind", "count"), [("none", 0), ("conv", 4), ("all", 5)])
def test_spectral_norm_holds_the_layers_it_names(kind: SpectralNorm, count: int) -> None:
    disc = Discriminator((4, 6, 6, 8), kind)
    for _ in range(30):  # power iterations
        disc(torch.rand(1, 1, 16, 16))
    layers = [layer for layer in disc.modules() if hasattr(layer, "weight")]
    held = [layer for layer in layers if "parametrizations" in dict(layer.named_children())]
    assert len(held) == count
    for layer in held:
        assert torch.linalg.matrix_norm(cast(Tensor, layer.weight).flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_discriminator_refuses_what_it_cannot_halve() -> None:
    with pytest.raises(InputError, match="got 15x40: use crops of 16"):
        Discriminator((4, 6, 6, 8))(torch.rand(1, 1, 15, 40))


def test_unknown_spectral_norm_is_refused() -> None:
    with pytest.raises(UsageError, match="'some': use one of none, conv, all"):
        Discriminator((4,), "some")  # type: ignore[arg-type]


@pytest.mark.parametrize("config", [DAEFuseConfig(), TINY, replace(TINY, branches="vit", keep_black=True)], ids=repr)
def test_configuration_goes_through_json(config: DAEFuseConfig) -> None:
    assert DAEFuseConfig.from_json(config.to_json()) == config


def test_default_is_the_base_size() -> None:
    assert DAEFuseConfig() == DAEFuseConfig.of_size("base") == DAEFuseConfig.from_json({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"high_channels": (8, 8)}, "has 2 widths: give four"),
        ({"high_channels": (8, 8, 0, 8)}, "high_channels must be at least 1"),
        ({"disc_channels": ()}, "disc_channels must be at least 1"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"token_heads": 5}, "cannot be cut for 5 heads"),
        ({"cross_heads": 3}, "32 embedding channels cannot be cut for 3 heads"),
        ({"branches": "rnn"}, "branches cannot be 'rnn': use 'both' or 'cnn' or 'vit'"),
        ({"no_such": 1}, "no option 'no_such'"),
    ],
    ids=str,
)
def test_impossible_configuration_is_refused(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        DAEFuseConfig.of_size("tiny", **change)
    assert "\n" not in str(caught.value)


def test_unknown_size_is_refused() -> None:
    with pytest.raises(UsageError, match="no size 'huge' of DAE-Fuse: use base or tiny"):
        DAEFuseConfig.of_size("huge")  # type: ignore[arg-type]
