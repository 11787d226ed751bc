"""The learned sparse-coding blocks of FNet and IFNet: LZSC (l0) and LCSC (l1).

An LZSC block turns c picture planes e into K = 64 sparse code maps by a fixed number of learned, accelerated
iterative-thresholding steps (FNet paper, equations 15 to 21):

    x_0 = S(W_0 * e; theta_0)
    x_k = S( (1 + rho_k) (x_{k-1} - Q_k * (P_k * x_{k-1}))
             - rho_k (x_{k-2} - Q'_k * (P'_k * x_{k-2})) + W_k * e ; theta_k )

with x_{-1} = 0, five thresholded estimates for four iterations, every convolution 9 x 9 with zero padding and no bias.
W_k is `input[k]`, P_k `down[k]`, Q_k `up[k]`, P'_k `down_prev[k]`, Q'_k `up_prev[k]`.

`forward` is the literal transcription and the reference. `steps()` describes the same computation as data for the
fast forms in `ops`, which tests prove equal to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.errors import UsageError
from polyfuse.families.spec import check_fields
from polyfuse.ops.sparse_coding import CodingStep
from polyfuse.ops.threshold import SHRINK, STEEPNESS, ThresholdKind, apply_threshold

Momentum = Literal["nesterov", "none", "polyak", "qhm"]

INITIAL_LCSC_THRESHOLD = 0.01
INITIAL_QHM_MIX = 0.7


@dataclass(frozen=True)
class CoderConfig:
    """Everything that shapes one sparse-coding block except its number of input planes."""

    coder: Literal["lzsc", "lcsc"] = "lzsc"
    """Accelerated l0 block of the paper, or the l1 block it is compared with (ablation AE1)."""
    channels: int = 64
    """Number of code maps K. Source: official code."""
    kernel_size: int = 9
    """Side of every convolution, pixels, odd. Source: official code."""
    iterations: int = 4
    """Steps after the initial estimate (the paper's iteration modules)."""
    threshold: ThresholdKind = "sigmoidal"
    """Thresholding function S; `lcsc` always uses "soft"."""
    steepness: float = STEEPNESS
    """gamma of the sigmoidal threshold."""
    shrink: float = SHRINK
    """alpha of the sigmoidal threshold."""
    momentum: Momentum = "nesterov"
    """Acceleration of the iteration (ablations AE4 to AE6)."""
    share_convs: bool = False
    """One set of convolutions for all iterations (ablation AE3; for `lcsc` the form of Sreter and Giryes)."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        check_fields(self, iterations=64, kernel_size=255)
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise UsageError(f"kernel_size {self.kernel_size} is not odd and positive: use 9 as published.")
        if self.iterations < 1 or self.channels < 1:
            raise UsageError("iterations and channels must be at least 1: use 4 and 64 as published.")
        if self.steepness <= 0 or not 0 <= self.shrink <= 1:
            raise UsageError("steepness must be positive and shrink in [0, 1]: use 100 and 0.1 as published.")
        if self.coder not in ("lzsc", "lcsc"):
            raise UsageError(f"unknown coder {self.coder!r}: use 'lzsc' or 'lcsc'.")
        if self.threshold not in ("sigmoidal", "soft", "hard"):
            raise UsageError(f"unknown threshold {self.threshold!r}: use 'sigmoidal', 'soft' or 'hard'.")
        if self.momentum not in ("nesterov", "none", "polyak", "qhm"):
            raise UsageError(f"unknown momentum {self.momentum!r}: use 'nesterov', 'none', 'polyak' or 'qhm'.")

    def build(self, in_channels: int) -> SparseCoder:
        """Return a freshly initialised block for `in_channels` input planes."""
        return LCSC(in_channels, self) if self.coder == "lcsc" else LZSC(in_channels, self)


@dataclass
class CoderTrace:
    """Filled by a block's `forward` on request: what happened in each iteration, for explanation."""

    before: list[Tensor]
    """Values entering the threshold, one (N, K, H, W) per estimate."""
    after: list[Tensor]
    """Thresholded estimates x_0 .. x_n."""

    def note(self, before: Tensor, after: Tensor) -> None:
        """Keep the next estimate; override this to look at estimates without keeping them."""
        self.before.append(before)
        self.after.append(after)


class SparseCoder(nn.Module):
    """What LZSC and LCSC share: their convolutions, looked up by iteration whether shared or not."""

    def __init__(self, in_channels: int, config: CoderConfig) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.config = config

    def _convs(self, first: int, last: int, *, expand: bool) -> nn.ModuleDict:
        """Convolutions for iterations `first` to `last`, or only for `first` when shared."""
        keys = [first] if self.config.share_convs else range(first, last + 1)
        ins, outs = (self.in_channels, self.config.channels) if expand else (self.config.channels, self.in_channels)
        size = self.config.kernel_size
        convs = nn.ModuleDict({str(k): nn.Conv2d(ins, outs, size, padding=size // 2, bias=False) for k in keys})
        for conv in convs.values():
            nn.init.xavier_uniform_(conv.weight)  # type: ignore[arg-type]
        return convs

    def weight(self, convs: nn.ModuleDict, k: int) -> Tensor:
        """Weight of iteration `k`, whether the iterations share one or not."""
        conv = next(iter(convs.values())) if self.config.share_convs else convs[str(k)]
        return conv.weight  # type: ignore[return-value]

    def conv(self, convs: nn.ModuleDict, k: int, x: Tensor) -> Tensor:
        """Zero-padded convolution of iteration `k`."""
        return functional.conv2d(x, self.weight(convs, k), padding=self.config.kernel_size // 2)

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates for one pixel, padding counted; shared weights count as often as they are used."""
        n = self.config.iterations
        used = 2 * n + (1 if isinstance(self, LCSC) else n + 1)
        if isinstance(self, LZSC) and self.config.momentum == "nesterov":
            used += 2 * (n - 1)
        return used * self.in_channels * self.config.channels * self.config.kernel_size**2

    def thresholds(self) -> Tensor:
        """theta_0 .. theta_n, shape (n + 1,)."""
        raise NotImplementedError

    def momenta(self) -> Tensor:
        """rho_0 .. rho_n, shape (n + 1,), rho_0 = 0."""
        raise NotImplementedError

    def steps(self) -> list[CodingStep] | None:
        """The block as data for the fast forms, or None where it has no such form."""
        raise NotImplementedError


class LZSC(SparseCoder):
    """Learned l0 convolutional sparse coding, with every option of the ablation study.

    Args:
        in_channels: Number of picture planes c, 1 (unique blocks) or 2 (common block).
        config: The block's options.

    Source: FNet paper, equations 15 to 21; sizes and initial values from the official code.
    """

    def __init__(self, in_channels: int, config: CoderConfig) -> None:
        super().__init__(in_channels, config)
        n = config.iterations
        self.w_theta = nn.Parameter(torch.tensor([-0.5]))
        self.b_theta = nn.Parameter(torch.tensor([-2.0]))
        if config.momentum != "none":
            self.w_rho = nn.Parameter(torch.tensor([0.5]))
            self.b_rho = nn.Parameter(torch.tensor([0.0]))
        if config.momentum == "qhm":
            self.mix = nn.Parameter(torch.logit(torch.tensor([INITIAL_QHM_MIX])))  # ours: spec fnet 9 (AE6)
        self.input = self._convs(0, n, expand=True)
        self.down = self._convs(1, n, expand=False)
        self.up = self._convs(1, n, expand=True)
        if config.momentum == "nesterov":
            self.down_prev = self._convs(2, n, expand=False)
            self.up_prev = self._convs(2, n, expand=True)

    def thresholds(self) -> Tensor:
        """theta_k = softplus(w_theta k + b_theta), shape (n + 1,)."""
        k = torch.arange(self.config.iterations + 1, device=self.w_theta.device, dtype=self.w_theta.dtype)
        return functional.softplus(self.w_theta * k + self.b_theta)

    def momenta(self) -> Tensor:
        """rho_k = 1 - softplus(b_rho) / softplus(w_rho k + b_rho), shape (n + 1,); zeros without momentum."""
        if self.config.momentum == "none":
            return torch.zeros_like(self.thresholds())
        k = torch.arange(self.config.iterations + 1, device=self.w_rho.device, dtype=self.w_rho.dtype)
        grown = functional.softplus(self.w_rho * k + self.b_rho)
        return (grown - functional.softplus(self.b_rho)) / grown

    def forward(self, e: Tensor, trace: CoderTrace | None = None) -> Tensor:
        """Code the planes `e`, (N, c, H, W), as x_n, (N, K, H, W); the literal form."""
        theta, rho = self.thresholds(), self.momenta()
        x_prev, velocity = torch.zeros((), dtype=e.dtype, device=e.device), torch.zeros((), device=e.device)
        x = x_prev
        for k in range(self.config.iterations + 1):
            driven = self.conv(self.input, k, e)
            if k == 0:
                pre = velocity = driven
            elif self.config.momentum == "qhm":
                gradient = driven - self.conv(self.up, k, self.conv(self.down, k, x))
                velocity = rho[k] * velocity + (1 - rho[k]) * gradient
                mix = torch.sigmoid(self.mix)
                pre = x + (1 - mix) * gradient + mix * velocity
            else:
                pre = self._accelerated(k, x, x_prev, rho[k]) + driven
            x_prev, x = x, self._threshold(pre, theta[k])
            if trace is not None:
                trace.note(pre, x)
        return x

    def _accelerated(self, k: int, x: Tensor, x_prev: Tensor, rho: Tensor) -> Tensor:
        """The part of the step that acts on the two earlier estimates, without W_k * e."""
        residual = x - self.conv(self.up, k, self.conv(self.down, k, x))
        if self.config.momentum == "none":
            return residual
        if self.config.momentum == "polyak":
            return residual + rho * (x - x_prev)
        fresh = (1 + rho) * residual  # eq. (20): the momentum weighs the whole bracket, not W_k * e
        if k == 1:
            return fresh
        return fresh - rho * (x_prev - self.conv(self.up_prev, k, self.conv(self.down_prev, k, x_prev)))

    def _threshold(self, pre: Tensor, theta: Tensor) -> Tensor:
        config = self.config
        return apply_threshold(config.threshold, pre, theta, steepness=config.steepness, shrink=config.shrink)

    def steps(self) -> list[CodingStep] | None:
        """The block as data; None with quasi-hyperbolic momentum, whose velocity the fast forms do not know."""
        if self.config.momentum == "qhm":
            return None
        theta, rho = self.thresholds(), self.momenta()
        config = self.config
        make = partial(CodingStep, threshold=config.threshold, steepness=config.steepness, shrink=config.shrink)
        steps = [make(theta[0], self.weight(self.input, 0))]
        nesterov, polyak = self.config.momentum == "nesterov", self.config.momentum == "polyak"
        for k in range(1, self.config.iterations + 1):
            older = nesterov and k > 1
            steps.append(
                make(
                    theta[k],
                    self.weight(self.input, k),
                    down=self.weight(self.down, k),
                    up=-(1 + rho[k]) * self.weight(self.up, k) if nesterov else -self.weight(self.up, k),
                    down_prev=self.weight(self.down_prev, k) if older else None,
                    up_prev=rho[k] * self.weight(self.up_prev, k) if older else None,
                    keep=1 + rho[k],  # rho is all zeros without momentum
                    keep_prev=-rho[k] if older or (polyak and k > 1) else None,
                )
            )
        return steps


class LCSC(SparseCoder):
    """Learned convolutional sparse coding with the soft threshold and no momentum (ablation AE1).

    p = W * e once; x_0 = T(p; t_0); x_k = T(p + x_{k-1} - Q_k * (P_k * x_{k-1}); t_k).

    Source: spec fnet 9 (AE1; ours, the paper's supplement is unavailable). With `share_convs` P and Q are shared over
    the iterations and the threshold has one value per channel, as in Sreter and Giryes 2018.
    """

    def __init__(self, in_channels: int, config: CoderConfig) -> None:
        super().__init__(in_channels, config)
        n, size = config.iterations, config.kernel_size
        count = config.channels if config.share_convs else n + 1
        self.theta = nn.Parameter(torch.full((count,), INITIAL_LCSC_THRESHOLD))
        self.input = nn.ModuleDict({"0": nn.Conv2d(in_channels, config.channels, size, padding=size // 2, bias=False)})
        nn.init.xavier_uniform_(self.input["0"].weight)  # type: ignore[arg-type]
        self.down = self._convs(1, n, expand=False)
        self.up = self._convs(1, n, expand=True)

    def thresholds(self) -> Tensor:
        """t_0 .. t_n, shape (n + 1,); with shared convolutions the mean over channels, the same for every step."""
        if self.config.share_convs:
            return self.theta.mean().expand(self.config.iterations + 1)
        return self.theta

    def momenta(self) -> Tensor:
        """Zeros, shape (n + 1,): this block has no momentum."""
        return torch.zeros(self.config.iterations + 1, device=self.theta.device, dtype=self.theta.dtype)

    def forward(self, e: Tensor, trace: CoderTrace | None = None) -> Tensor:
        """Code the planes `e`, (N, c, H, W), as x_n, (N, K, H, W)."""
        driven = functional.conv2d(e, self.weight(self.input, 0), padding=self.config.kernel_size // 2)
        x = pre = driven
        for k in range(self.config.iterations + 1):
            if k:
                pre = driven + x - self.conv(self.up, k, self.conv(self.down, k, x))
            theta = self.theta[:, None, None] if self.config.share_convs else self.theta[k]
            x = apply_threshold("soft", pre, theta, steepness=STEEPNESS, shrink=SHRINK)
            if trace is not None:
                trace.note(pre, x)
        return x

    def weight(self, convs: nn.ModuleDict, k: int) -> Tensor:
        """Weight of iteration `k`; the input convolution exists once in either form."""
        return super().weight(convs, 0 if convs is self.input else k)

    def steps(self) -> list[CodingStep] | None:
        """None: this block is for ablations alone, which the literal form computes."""
        return None
