"""What FNet tells about itself: names, sums, thresholds, and how many entries are null."""

import re

import pytest
import torch

from polyfuse.families.fnet.network import FNet


@pytest.fixture(scope="module")
def explained(formula_fnet, formula_pair) -> dict[str, torch.Tensor]:
    return formula_fnet.explain(*formula_pair(10, 12))


def documented_keys() -> set[str]:
    """The quoted names in the docstring of `explain`, with c and k written out."""
    quoted = [name for name in re.findall(r'"([a-z_.]+)"', FNet.explain.__doc__ or "") if len(name) > 1]
    keys = set()
    for name in quoted:
        if name.endswith("_c.k"):
            keys |= {f"{name[:-3]}{block}.{k}" for block in "uvz" for k in range(5)}
        elif name.endswith("_c"):
            keys |= {f"{name[:-1]}{block}" for block in "uvz"}
        else:
            keys.add(name)
    return keys


def test_returned_names_are_the_documented_ones(explained) -> None:
    assert set(explained) == documented_keys()


def test_parts_add_up_to_the_fused_picture(explained) -> None:
    total = explained["fused_u"] + explained["fused_z"] + explained["fused_v"]
    assert torch.equal(total, explained["fused"])


def test_explained_and_residual_parts_add_up_to_the_input(explained, formula_pair) -> None:
    a, _ = formula_pair(10, 12)
    torch.testing.assert_close(explained["explained_a"] + explained["residual_a"], a, rtol=0, atol=2e-6)


def test_fused_picture_is_the_one_of_the_literal_form(explained, formula_fnet, formula_pair, evaluate) -> None:
    expected = evaluate("plain", formula_fnet, *formula_pair(10, 12))
    assert torch.equal(explained["fused"], expected)


@pytest.mark.parametrize("block", ["u", "v", "z"])
def test_last_estimate_is_the_code(block: str, explained) -> None:
    assert torch.equal(explained[f"after_{block}.4"], explained[f"code_{block}"])


@pytest.mark.parametrize("block", ["u", "v", "z"])
def test_code_has_64_maps_of_the_picture_size(block: str, explained) -> None:
    assert explained[f"code_{block}"].shape == (1, 64, 10, 12)


def test_nothing_in_the_explanation_carries_a_graph(explained) -> None:
    assert not any(value.requires_grad for value in explained.values())


@pytest.mark.parametrize("block", ["u", "v", "z"])
def test_published_thresholds_are_the_tabled_ones(block: str, golden, official_fnet) -> None:
    found = getattr(official_fnet, f"coder_{block}").thresholds().tolist()
    expected = [golden["null_fractions"][f"{block}.{k}"]["theta"] for k in range(5)]
    assert found == pytest.approx(expected, abs=5.1e-6)  # the table has five decimals


@pytest.fixture(scope="module")
def explained_pictures(shared_dir, official_fnet):
    """`"tno" or "ct" -> explanation` of the pictures of the specification's section 11."""
    cv2 = pytest.importorskip("cv2")

    def read(*parts: str) -> torch.Tensor:
        picture = cv2.imread(str(shared_dir.joinpath("data", *parts)), cv2.IMREAD_GRAYSCALE)
        return torch.from_numpy(picture.astype("float32") / 255)[None, None]

    def explain(name: str) -> dict[str, torch.Tensor]:
        if name == "tno":
            window = (..., slice(100, 356), slice(150, 470))
            pair = read("tno", "test", "ir", "10.png")[window], read("tno", "test", "vi", "10.png")[window]
        else:
            pair = read("mri_ct", "test", "mri", "11.png"), read("mri_ct", "test", "ct", "11.png")
        return official_fnet.explain(*pair)

    return explain


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tno", "ct"])
def test_shares_of_null_entries_are_the_tabled_ones(name: str, golden, explained_pictures) -> None:
    explained = explained_pictures(name)
    found, expected = {}, {}
    for key, row in golden["null_fractions"].items():
        before, after = explained[f"before_{key}"].abs(), explained[f"after_{key}"].abs()
        theta = explained[f"thresholds_{key[0]}"][int(key[-1])]
        shares = {"below": before < theta, "before": before < 1e-3, "after": after < 1e-3}
        for column, share in shares.items():
            found[f"{key} {column}"] = share.double().mean().item()
            expected[f"{key} {column}"] = row[f"{name}_{column}"]
    assert found == pytest.approx(expected, abs=1e-4)  # four decimals in the table, and a few entries on the border
