"""The torchmetrics classes: means over a data set, collections, copies, several processes."""

import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from polyfuse.errors import UsageError
from polyfuse.metrics import METRICS, vif

torchmetrics = pytest.importorskip("torchmetrics")
classes = pytest.importorskip("polyfuse.metrics.classes")


def batch(seed: int, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(count, 1, 48, 52, generator=generator, dtype=torch.float64) for _ in range(2))
    return (a + b) / 2, a, b


def test_mean_over_batches_is_the_mean_over_pictures() -> None:
    first, second = batch(0, 3), batch(1, 2)
    metric = classes.VIF(protocol="cddfuse")
    metric.update(*first)
    metric.update(*second)
    scores = torch.cat([vif(*first, protocol="cddfuse"), vif(*second, protocol="cddfuse")])
    assert metric.compute().item() == pytest.approx(scores.mean().item(), abs=1e-14)


def test_pictures_without_a_value_are_left_out_and_counted() -> None:
    fused, a, b = batch(0)
    fused[1] = a[1]  # SCD of a copy is undefined under cddfuse
    metric = classes.SCD(protocol="cddfuse")
    metric.update(fused, a, b)
    assert (metric.count.item(), metric.left_out.item()) == (2, 1)
    assert metric.compute().isfinite()


def test_collection_updates_every_metric() -> None:
    collection = torchmetrics.MetricCollection([classes.MI(), classes.SSIM(protocol="canonical"), classes.SD()])
    collection.update(*batch(0))
    assert sorted(collection.compute()) == ["MI", "SD", "SSIM"]


def test_reset_forgets() -> None:
    metric = classes.MI()
    metric.update(*batch(0))
    metric.reset()
    metric.update(*batch(1))
    assert metric.count.item() == 3


def test_pickled_metric_keeps_its_state() -> None:
    metric = classes.Qabf(protocol="vifb")
    metric.update(*batch(0))
    copy = pickle.loads(pickle.dumps(metric))
    assert copy.protocol == "vifb"
    assert copy.compute() == metric.compute()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_class_that_knows_its_direction(name: str) -> None:
    direction = METRICS[name].direction
    assert getattr(classes, name).higher_is_better == {"up": True, "down": False}.get(direction)


def test_protocol_without_the_metric_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="vifb has no VIF"):
        classes.VIF(protocol="vifb")


def test_unknown_class_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchMetric"):
        classes.NoSuchMetric  # noqa: B018


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


WORKER = """
import sys
import torch
import torch.distributed
from polyfuse.metrics.classes import MI

rank, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
metric = MI(protocol="canonical")
metric.update(*torch.load(f"{folder}/batch{rank}.pt"))
print(repr(metric.compute().item()))
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_agree_on_the_mean_over_all_pictures(tmp_path: Path) -> None:
    batches = [batch(rank, count=2 + rank) for rank in range(2)]
    port = str(free_port())
    workers = []
    for rank, pictures in enumerate(batches):
        torch.save(pictures, tmp_path / f"batch{rank}.pt")
        command = [sys.executable, "-c", WORKER, str(rank), port, str(tmp_path)]
        workers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    means = [float(worker.communicate(timeout=120)[0].splitlines()[-1]) for worker in workers]
    alone = classes.MI(protocol="canonical")
    for pictures in batches:
        alone.update(*pictures)
    assert means == pytest.approx([alone.compute().item()] * 2, abs=1e-14)
