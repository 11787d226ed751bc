"""What DAE-Fuse tells about itself: names, sums, where attention looks."""

import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from polyfuse.families.daefuse import DAEFuse
from polyfuse.ops.frequencies import share_above


@pytest.fixture(scope="module")
def model(formula_dae_fuse, small_dae) -> DAEFuse:
    return formula_dae_fuse(small_dae)


@pytest.fixture(scope="module")
def pair(smfnet_pair) -> tuple[Tensor, Tensor]:
    return smfnet_pair(17, 20, batch=2)


@pytest.fixture(scope="module")
def explained(model, pair) -> dict[str, Tensor]:
    return model.explain(*pair)


def documented_keys() -> set[str]:
    """The quoted names in the docstring of `explain`, with s written out."""
    keys = set()
    for name in re.findall(r'"([a-z_]{2,})"', DAEFuse.explain.__doc__ or ""):
        keys |= {f"{name[:-1]}{source}" for source in "ab"} if name.endswith("_s") else {name}
    return keys


def test_returned_names_are_the_documented_ones(explained) -> None:
    assert set(explained) == documented_keys()


def test_all_but_numbers_are_pictures_of_the_size_of_the_pair(explained) -> None:
    shapes = {name: tuple(value.shape) for name, value in explained.items()}
    numbers = {f"band_{branch}_{source}" for branch in ("high", "low") for source in "ab"}
    assert {name for name, shape in shapes.items() if shape == (2,)} == numbers
    assert {shape for name, shape in shapes.items() if name not in numbers} == {(2, 1, 17, 20)}


def test_explained_pictures_are_those_of_the_network(model, pair, explained) -> None:
    with torch.no_grad():
        fused, (found_a, found_b) = model(*pair), model.reconstruct(*pair)
    torch.testing.assert_close(explained["fused"], fused, rtol=0, atol=1e-12)  # the fast form sums in another order
    assert torch.equal(explained["reconstructed_a"], found_a)
    assert torch.equal(explained["error_b"], found_b - pair[1])


@pytest.mark.parametrize("source", ["a", "b"])
def test_decodings_add_up_to_the_reconstruction(source: str, model, pair, explained) -> None:
    picture = pair["ab".index(source)]
    frame = model.frame(picture)
    with torch.no_grad():
        nothing = frame.crop(model.decode(torch.zeros_like(model.encode(frame.pad(picture)))))
    parts = (explained[f"{name}_{source}"] for name in ("detail", "base", "remainder"))
    torch.testing.assert_close(sum(parts) + nothing, explained[f"reconstructed_{source}"], rtol=0, atol=1e-12)


def test_detail_does_not_depend_on_the_low_branch(model, pair, explained) -> None:
    changed = DAEFuse(model.config).double().eval()
    changed.load_state_dict(model.state_dict())
    assert changed.low is not None
    with torch.no_grad():
        for parameter in changed.low.parameters():
            parameter.mul_(1.5)
    found = changed.explain(*pair)
    assert torch.equal(found["detail_a"], explained["detail_a"])
    assert not torch.allclose(found["base_a"], explained["base_a"], rtol=0, atol=1e-6)


def test_low_branch_has_less_in_the_high_band_than_the_other(explained) -> None:
    for source in "ab":
        assert (explained[f"band_low_{source}"] < explained[f"band_high_{source}"] / 2).all()


def test_share_above_parts_two_waves_by_their_energy() -> None:
    x = torch.arange(64, dtype=torch.float64)
    slow, quick = torch.sin(2 * torch.pi * 2 * x / 64), torch.sin(2 * torch.pi * 16 * x / 64)
    wave = (3 + slow + 2 * quick).expand(1, 1, 8, 64)
    assert share_above(wave, 1 / 16).item() == pytest.approx(4 / 5)
    assert share_above(torch.full_like(wave, 0.3), 1 / 16).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("source", ["a", "b"])
def test_attention_received_and_entropy_are_those_of_the_probabilities(source: str, model, pair) -> None:
    a, b = (model.encode(model.frame(x).pad(x)).detach() for x in pair)
    asks, answers = (a, b) if source == "a" else (b, a)
    cross = model.fusion.cross[source]
    with torch.no_grad():
        query = cross.query(cross.norm_query(asks)).flatten(2)
        key = torch.nn.functional.adaptive_avg_pool2d(cross.norm_key(answers), cross.cells(*answers.shape[-2:]))
        key = cross.key(key).flatten(2)
        heads = []
        for head, part in enumerate(torch.arange(query.shape[1]).chunk(cross.heads)):
            cosines = torch.einsum("ncq,nck->nqk", query[:, part], key[:, part])
            cosines /= query[:, part].norm(dim=1)[:, :, None] * key[:, part].norm(dim=1)[:, None, :]
            heads.append((cross.sharpness[head] * cosines).softmax(dim=-1))
    probabilities = torch.stack(heads)
    evidence = model.fusion.evidence(a, b)[source]
    torch.testing.assert_close(evidence.received.flatten(1), probabilities.mean(dim=(0, 2)))
    entropy = -(probabilities * probabilities.log()).sum(dim=-1).mean(dim=0)
    torch.testing.assert_close(evidence.entropy.flatten(1), entropy / torch.tensor(probabilities.shape[-1]).log())
    value = cross.value(cross.norm_key(answers)).detach()
    pooled = torch.nn.functional.adaptive_avg_pool2d(value, cross.cells(*value.shape[-2:])).flatten(2)
    parts = torch.arange(pooled.shape[1]).chunk(cross.heads)
    found = [pooled[:, part] @ head.mT for part, head in zip(parts, heads, strict=True)]
    expected = cross.project_out(torch.cat(found, dim=1).view_as(value) + cross.local(value))
    torch.testing.assert_close(cross(asks, answers), expected)


def test_evidence_does_not_depend_on_how_many_queries_go_at_once(model, pair, explained, monkeypatch) -> None:
    monkeypatch.setattr("polyfuse.families.daefuse.cross_attention.QUERIES_AT_ONCE", 7)
    found = model.explain(*pair)
    for name in ("received_a", "entropy_b"):
        torch.testing.assert_close(found[name], explained[name])


def test_shifts_move_the_mean_to_what_is_decoded(model, pair, explained) -> None:
    frame = model.frame(pair[0])
    with torch.no_grad():
        a, b = (model.encode(frame.pad(x)) for x in pair)
        cross = sum(model.fusion.shifts(a, b)) / 2
        merge = model.merge(a, b) - (a + b) / 2 - cross
    torch.testing.assert_close(explained["shift_cross"], frame.crop(cross.norm(dim=1, keepdim=True)))
    torch.testing.assert_close(explained["shift_merge"], frame.crop(merge.norm(dim=1, keepdim=True)))
    assert explained["shift_cross"].min() > 0
    assert explained["shift_merge"].min() > 0


def test_fresh_fusion_shifts_nothing(pair, small_dae) -> None:
    found = DAEFuse(small_dae).double().eval().explain(*pair)
    assert found["shift_cross"].count_nonzero() == 0
    assert found["shift_merge"].count_nonzero() == 0


def test_statistics_are_means_of_the_explanation(model, pair) -> None:
    frame = model.frame(pair[0])
    found = model.attention_statistics(*pair)
    with torch.no_grad():
        a, b = (model.encode(frame.pad(x)) for x in pair)
        shift = model.fusion.shifts(a, b)[1]
    assert found["entropy_a"] == model.fusion.evidence(a, b)["a"].entropy.mean()
    assert found["contribution_b"].item() == pytest.approx((shift.norm() / b.norm()).item())


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"cross_attention": False}, {"received", "entropy"}),
        ({"branches": "cnn"}, {"detail", "base", "remainder", "band_low"}),
        ({"branches": "vit"}, {"detail", "base", "remainder", "band_high"}),
    ],
    ids=["no-cross", "cnn", "vit"],
)
def test_reduced_network_leaves_its_entries_out(change: dict, missing: set[str], pair, small_dae) -> None:
    model = DAEFuse(replace(small_dae, **change)).double().eval()
    expected = {f"{name}_{source}" for name in missing for source in "ab"}
    assert documented_keys() - set(model.explain(*pair)) == expected
    assert bool(model.attention_statistics(*pair)) == model.config.cross_attention


def test_nothing_in_the_explanation_carries_a_graph(explained) -> None:
    assert not any(value.requires_grad for value in explained.values())
