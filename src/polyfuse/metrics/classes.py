"""torchmetrics classes, one for each metric, made from the metric itself.

    from polyfuse.metrics.classes import VIF
    vif = VIF(protocol="cddfuse")
    vif.update(fused, a, b)
    vif.compute()

The mean over a data set leaves out pictures without a finite value and counts them in `left_out`. Needs the extra
`metrics`.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from polyfuse.errors import DependencyError
from polyfuse.metrics.catalogue import METRICS
from polyfuse.metrics.metric import Metric, UndefinedMetricWarning

try:
    import torchmetrics
except ImportError as error:
    raise DependencyError(
        "the torchmetrics classes need torchmetrics: pip install 'polyfuse[metrics]', or call the metrics themselves."
    ) from error

if TYPE_CHECKING:
    TorchMetric = Any
else:
    TorchMetric = torchmetrics.Metric


class FusionMetric(TorchMetric):  # type: ignore[misc]
    """Mean of a metric over a data set; sums are synchronised across processes.

    Args:
        protocol: Whose conventions to follow.
        data_range: Value of white, see `polyfuse.metrics.Metric`.
        **kwargs: Passed to `torchmetrics.Metric`.

    Raises:
        UsageError: If the protocol is unknown or does not have this metric.
    """

    metric: Metric
    full_state_update = False
    is_differentiable = False
    total: Tensor
    count: Tensor
    left_out: Tensor

    def __init__(self, protocol: str = "cddfuse", data_range: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metric.variant(protocol)
        self.protocol, self.data_range = protocol, data_range
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("left_out", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, fused: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> None:
        """Score a batch, (N, 1 or 3, H, W) each."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)  # `left_out` counts them
            scores = self.metric(fused, a, b, protocol=self.protocol, data_range=self.data_range)
        finite = scores.isfinite()
        self.total += scores[finite].sum()
        self.count += finite.sum()
        self.left_out += finite.logical_not().sum()

    def compute(self) -> Tensor:
        """Mean of all finite scores, float64; NaN if there was none."""
        return self.total / self.count


@cache
def _class_of(name: str) -> type[FusionMetric]:
    metric = METRICS[name]
    facts = {
        "__doc__": f"{metric.name}, {metric.title}: its mean over a data set.",
        "__module__": __name__,
        "metric": metric,
        "higher_is_better": {"up": True, "down": False}.get(metric.direction),
    }
    return type(name, (FusionMetric,), facts)


def __getattr__(name: str) -> type[FusionMetric]:
    """The class of the metric of that name."""
    if name not in METRICS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: metrics are {', '.join(METRICS)}")
    return _class_of(name)
