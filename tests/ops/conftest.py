"""Random sparse-coding blocks as steps, and a literal evaluation of steps to measure the fast forms against."""

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_coding
from polyfuse.ops.native_kernels import kernel
from polyfuse.ops.sparse_coding import CodingStep

THETAS = (0.127, 0.079, 0.049, 0.03, 0.018)  # the published initial thresholds
RHOS = (0.0, 0.288, 0.472, 0.593, 0.674)


def _literal(e: Tensor, steps: Sequence[CodingStep], reads: Sequence[Tensor]) -> list[Tensor]:
    """The formula of ops/sparse_coding.py with two-dimensional convolutions, in the dtype of `e`."""

    def conv(x: Tensor | None, weight: Tensor | None) -> Tensor:
        assert x is not None
        assert weight is not None
        return functional.conv2d(x, weight.to(e.dtype), padding=weight.shape[-1] // 2)

    x: Tensor | None = None
    x_prev: Tensor | None = None
    for step in steps:
        pre = conv(e, step.input)
        if step.up is not None:
            pre = pre + conv(conv(x, step.down), step.up)
        if step.up_prev is not None:
            pre = pre + conv(conv(x_prev, step.down_prev), step.up_prev)
        if step.keep is not None:
            assert x is not None
            pre = pre + step.keep.to(e.dtype) * x
        if step.keep_prev is not None:
            assert x_prev is not None
            pre = pre + step.keep_prev.to(e.dtype) * x_prev
        theta = step.theta.to(e.dtype)
        gate = torch.sigmoid(step.steepness * (pre.abs() - theta))
        x_prev, x = x, pre.sign() * (pre.abs() - step.shrink * theta) * gate
    return [conv(x, read) for read in reads]


@pytest.fixture(scope="session")
def literal_coding() -> Callable[..., list[Tensor]]:
    """`(e, steps, reads) -> one (N, 1, H, W) per read`, slow and obvious."""
    return _literal


@pytest.fixture(scope="session")
def make_steps() -> Callable[..., tuple[list[CodingStep], list[Tensor]]]:
    """`(planes, reads=2, iterations=4) -> (steps, reads)`: an accelerated block with Xavier-uniform weights."""

    def make(planes: int, reads: int = 2, iterations: int = 4) -> tuple[list[CodingStep], list[Tensor]]:
        generator = torch.Generator().manual_seed(1)

        def weight(outs: int, ins: int) -> Tensor:
            bound = (6 / ((outs + ins) * 81)) ** 0.5
            return (torch.rand(outs, ins, 9, 9, generator=generator) * 2 - 1) * bound

        steps = [CodingStep(torch.tensor(THETAS[0]), weight(64, planes))]
        for k in range(1, iterations + 1):
            rho, older = torch.tensor(RHOS[k]), k > 1
            steps.append(
                CodingStep(
                    torch.tensor(THETAS[k]),
                    weight(64, planes),
                    down=weight(planes, 64),
                    up=-(1 + rho) * weight(64, planes),
                    down_prev=weight(planes, 64) if older else None,
                    up_prev=rho * weight(64, planes) if older else None,
                    keep=1 + rho,
                    keep_prev=-rho if older else None,
                )
            )
        return steps, [weight(1, 64) for _ in range(reads)]

    return make


@pytest.fixture
def planes() -> Callable[..., Tensor]:
    """`(N, c, H, W) -> uniform random planes in [0, 1]`, the same for the same shape."""
    return lambda *shape: torch.rand(*shape, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def use_instruction_set(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the compiled form use the named instruction set, or skip where this machine lacks it."""

    def use(name: str) -> None:
        module = kernel("lzsc")
        if module is None or not module.supports(name):
            pytest.skip(f"this build and processor have no {name} kernel")
        monkeypatch.setattr(native_coding, "instruction_set", lambda precision: name)

    return use


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """`torch.set_num_threads`, undone afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
