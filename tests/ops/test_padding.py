"""Mirrored padding for every size."""

import numpy as np
import pytest
import torch

from polyfuse.ops.padding import reflect_indices, reflect_pad


@pytest.mark.parametrize("size", [2, 3, 5, 48, 49])
@pytest.mark.parametrize("margin", [0, 1, 7, 48])
def test_indices_repeat_reflection_like_numpy(size: int, margin: int) -> None:
    expected = np.pad(np.arange(size), margin, mode="reflect")
    assert reflect_indices(size, margin).tolist() == expected.tolist()


def test_one_pixel_is_replicated() -> None:
    assert reflect_indices(1, 3).tolist() == [0] * 7


def test_rows_and_columns_are_padded_separately() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(reflect_pad(x, 1)[0, 0], torch.from_numpy(np.pad(x[0, 0].numpy(), 1, mode="reflect")))
