"""Networks of other people with any weights: sizes, symmetry, tiles, batches, and what they declare."""

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse import fuse
from polyfuse.errors import InputError, UsageError
from polyfuse.families.auif.filters import there_and_back, there_and_back_plain
from polyfuse.families.ifcnn import IFCNNConfig
from polyfuse.families.spec import FusionModel
from polyfuse.families.tardal import TarDALConfig
from polyfuse.registry import FAMILIES, load, published

PEERS = ["seafusion", "ifcnn", "densefuse", "mmdrfuse", "auif", "tardal"]
SYMMETRIC = {"ifcnn", "densefuse", "auif"}
PARAMETERS = {"ifcnn": 83_587, "densefuse": 74_193, "mmdrfuse": 113, "auif": 11_631, "tardal": 296_577}
PARAMETERS["seafusion"] = 166_883 - 226  # without the batch normalisations that are never applied
CHOSEN = [("ifcnn", {"normalisation": "imagenet"}), ("tardal", {"statistics": "stored"})]
CASES = [*((name, {}) for name in PEERS), *CHOSEN]
ROUNDING = 1e-5


def fresh(name: str, **config: str) -> FusionModel:
    """A network of seeded weights, with stored statistics that are not those of a new one."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = FAMILIES[name].build(config)
        for entry, values in model.state_dict().items():
            if entry.endswith("running_mean"):
                values.normal_(0, 0.1)
            elif entry.endswith("running_var"):
                values.uniform_(0.5, 1.5)
    return model.eval().requires_grad_(False)


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (21, 34)], ids=str)
@pytest.mark.parametrize(("name", "config"), CASES, ids=str)
def test_any_size_is_fused(name: str, config: dict[str, str], size: tuple[int, int]) -> None:
    a, b = random_pair(2, 1, *size)
    fused = fresh(name, **config)(a, b)
    assert fused.shape == a.shape
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("name", PEERS)
def test_sources_of_two_sizes_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="of one shape"):
        fresh(name)(torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 5, 4))


@pytest.mark.parametrize(("name", "config"), CASES, ids=str)
def test_exchanging_the_sources_changes_nothing_where_that_is_stated(name: str, config: dict[str, str]) -> None:
    model, (a, b) = fresh(name, **config), random_pair(1, 1, 24, 31)
    assert torch.equal(model(a, b), model(b, a)) == (name in SYMMETRIC)


@pytest.mark.parametrize(("name", "config"), CASES, ids=str)
def test_pictures_of_a_batch_do_not_touch_each_other(name: str, config: dict[str, str]) -> None:
    model, (a, b) = fresh(name, **config), random_pair(2, 1, 13, 17)
    one_by_one = torch.cat([model(a[:1], b[:1]), model(a[1:], b[1:])])
    torch.testing.assert_close(model(a, b), one_by_one, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("name", "config"), CASES, ids=str)
def test_tiles_give_the_whole_picture(name: str, config: dict[str, str], rng: np.random.Generator) -> None:
    a, b = rng.random((2, 21, 150), dtype=np.float32)
    model = fresh(name, **config)
    whole, tiled = fuse(a, b, model=model, memory=1 << 40), fuse(a, b, model=model, tile=32)
    assert (whole.record["run"]["tiles"], tiled.record["run"]["tiles"]) == (1, 5)
    assert tiled.record["run"]["exact"]
    # a stretch multiplies what rounding left by one over the range of a random network
    spread = model(*(torch.from_numpy(x)[None, None] for x in (a, b))).aminmax()
    factor = 1 / float(spread.max - spread.min) if model.spec.output == "minmax" else 1
    np.testing.assert_allclose(tiled.image, whole.image, rtol=0, atol=ROUNDING * max(1, factor))


@pytest.mark.parametrize("name", PEERS)
def test_reach_is_the_declared_one(name: str) -> None:
    model = fresh(name, **({"statistics": "stored"} if name == "tardal" else {}))
    radius, side = model.spec.receptive_radius, 2 * 34 + 1
    assert radius is not None
    a, b = random_pair(1, 1, side, side)
    changed = a.clone()
    changed[..., side // 2, side // 2] += 1
    rows = (model(a, b) != model(changed, b))[0, 0].any(dim=1).nonzero()[:, 0]
    assert side // 2 - radius <= rows.min() <= rows.max() <= side // 2 + radius


@pytest.mark.parametrize("name", PEERS)
def test_network_has_the_published_number_of_parameters(name: str) -> None:
    model = fresh(name)
    assert model.spec.parameters == sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", PEERS)
def test_model_without_weights_says_where_they_are_and_how_to_import_them(name: str) -> None:
    facts = published(name)
    assert facts is not None
    with pytest.raises(UsageError) as error:
        load(name)
    message = str(error.value)
    assert "\n" not in message
    assert all(words in message for words in (facts.files[0], facts.where, f"polyfuse models import {name} "))


def test_own_families_have_no_published_facts_of_others() -> None:
    assert [name for name in FAMILIES if published(name) is not None] == PEERS


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 3), (3, 7), (9, 14)], ids=str)
def test_filters_there_and_back_at_once_are_both_one_after_the_other(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 1, *size, generator=generator, dtype=torch.float64)
    bank = torch.randn(8, 1, 3, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(there_and_back(x, bank), there_and_back_plain(x, bank), rtol=0, atol=1e-12)


def test_dense_fuse_sees_grey_levels() -> None:
    model, (a, b) = fresh("densefuse"), random_pair(1, 1, 9, 9)
    assert not torch.allclose(model(a / 2, b / 2), model(a, b) / 2, atol=1e-4)  # its biases are of levels of 255


def test_stretch_of_a_clip_is_one_for_all_frames() -> None:
    assert [name for name in PEERS if fresh(name).spec.output == "minmax"] == ["seafusion", "mmdrfuse"]


def test_statistics_of_the_picture_change_with_what_is_cut_off_and_stored_ones_do_not() -> None:
    a, b = random_pair(1, 1, 40, 40)
    b[..., 30:, :] = 0
    changes = {}
    for statistics in ("picture", "stored"):
        model = fresh("tardal", statistics=statistics)
        changes[statistics] = (
            (model(a, b)[..., :20, :] - model(a[..., :30, :], b[..., :30, :])[..., :20, :]).abs().max()
        )
    assert changes["stored"] == 0
    assert changes["picture"] > 1e-3


@pytest.mark.parametrize(
    ("config", "words"),
    [(lambda: TarDALConfig(statistics="x"), "'stored'"), (lambda: IFCNNConfig(normalisation="x"), "'imagenet'")],  # type: ignore[arg-type]
)
def test_unknown_choices_are_refused(config, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        config()


def test_choices_can_be_changed_on_a_loaded_model() -> None:
    a, b = random_pair(1, 1, 9, 11)
    model = fresh("tardal")
    model.reconfigure({"statistics": "stored"})
    assert torch.equal(model(a, b), fresh("tardal", statistics="stored")(a, b))
