"""The published network on a published pair shows the shares that spec section 11 lists."""

from pathlib import Path

import numpy as np
import pytest

from polyfuse.explain import Explanation, explain
from polyfuse.families.fnet.explained.findings import FNetFindings
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet.official import fnet_key_map, from_official
from polyfuse.io import read_picture
from polyfuse.weights.pickles import read_state

# block: (threshold, share below it, null before, null after) of estimates 0 to 4; TNO pair 10, rows 100 to 355,
# columns 150 to 469, grey.
TABLE = {
    "u": [
        (0.12948, 0.9984, 0.0560, 0.9938),
        (0.07894, 0.9661, 0.1162, 0.9596),
        (0.04766, 0.8785, 0.1006, 0.8189),
        (0.02859, 0.8008, 0.0942, 0.5676),
        (0.01709, 0.8635, 0.1270, 0.5834),
    ],
    "v": [
        (0.08943, 0.9999, 0.1338, 0.9997),
        (0.03536, 0.7028, 0.2096, 0.6459),
        (0.01375, 0.3908, 0.1338, 0.3250),
        (0.00531, 0.1089, 0.0267, 0.0695),
        (0.00205, 0.1643, 0.0815, 0.1753),
    ],
    "z": [
        (0.12551, 0.9975, 0.0658, 0.9882),
        (0.07846, 0.9858, 0.0976, 0.9570),
        (0.04862, 0.9622, 0.0549, 0.8197),
        (0.02995, 0.7633, 0.0482, 0.4238),
        (0.01839, 0.7277, 0.0809, 0.4220),
    ],
}


@pytest.fixture(scope="module")
def published(shared_dir: Path) -> Explanation:
    """The crop of the pair as the published network sees it."""
    tensors, _ = read_state(shared_dir / "reference" / "fnet" / "FNet.pth")
    model = FNet().eval()
    model.load_state_dict(from_official(tensors, fnet_key_map()))
    test = shared_dir / "data" / "tno" / "test"
    crops = (read_picture(test / kind / "10.png").array[100:356, 150:470] for kind in ("ir", "vi"))
    return explain(*(np.ascontiguousarray(crop) for crop in crops), model=model)


@pytest.mark.slow  # a plain pass over 256x320: 7 s on one free core
@pytest.mark.parametrize("block", ["u", "v", "z"])
def test_published_network_has_the_shares_of_the_specification(published: Explanation, block: str) -> None:
    assert isinstance(published.findings, FNetFindings)
    estimates = published.findings.parts[block].estimates
    shares = [(e.threshold, e.below_threshold, e.null_before, e.null_after) for e in estimates]
    # the table is rounded to four digits; the rest is for another order of sums
    np.testing.assert_allclose(shares, TABLE[block], rtol=0, atol=5e-4)
