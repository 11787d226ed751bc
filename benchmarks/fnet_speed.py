"""Speed of FNet on this machine: the plain transcription, our forms, and the floor, side by side from one run.

    python benchmarks/fnet_speed.py                    # 640x480, 2 threads
    python benchmarks/fnet_speed.py --size 320x240 --threads 1 --repeats 5

The floor is a matrix product of as many multiply-accumulates on the same threads in the same precision. Contestants
take turns; a row gives the median and the spread. Prints ratios, never passes or fails. Use an idle machine: the same
forms read up to three times slower under load.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import torch

from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet.official import fnet_key_map, from_official
from polyfuse.ops import native_coding
from polyfuse.ops.native_kernels import kernel
from polyfuse.weights.pickles import read_state

FORMS = ("plain", "compiled float32", "compiled bf16", "row split float32", "row split bf16")
MATRIX = 2048  # side of the matrices of the floor


def network(checkpoint: Path | None) -> FNet:
    """FNet with the published weights where they are at hand, else with random ones."""
    torch.manual_seed(0)
    model = FNet().eval()
    if checkpoint is not None and checkpoint.is_file():
        model.load_state_dict(from_official(read_state(checkpoint)[0], fnet_key_map()))
    return model


@contextmanager
def compiled_kernel(enabled: bool):
    """Switch the compiled kernel off for a while."""
    original = native_coding.instruction_set
    if not enabled:
        native_coding.instruction_set = lambda precision: None
    try:
        yield
    finally:
        native_coding.instruction_set = original


def runner(model: FNet, form: str, a: torch.Tensor, b: torch.Tensor) -> Callable[[], torch.Tensor]:
    """A call that fuses a and b in the form named."""

    def run() -> torch.Tensor:
        with torch.inference_mode():
            if form == "plain":
                return model.forward_plain(a, b)
            model.precision = "bf16" if form.endswith("bf16") else "float32"
            with compiled_kernel(form.startswith("compiled")):
                return model(a, b)

    return run


def floor_seconds(macs: float, dtype: torch.dtype) -> float:
    """Time a matrix product takes for `macs` multiply-accumulates, best of 5."""
    x, y = (torch.randn(MATRIX, MATRIX).to(dtype) for _ in range(2))
    best = min(timed(lambda: x @ y) for _ in range(6))
    return best * macs / MATRIX**3


def timed(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def header(args: argparse.Namespace, height: int, width: int) -> None:
    """Print what is measured, and on which machine."""
    module = kernel("lzsc")
    sets = [name for name in ("avx512_bf16", "avx512", "avx2", "portable") if module and module.supports(name)]
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    print(f"{name}, {os.cpu_count()} cores, {args.threads} threads, torch {torch.__version__}")
    print(f"one pair {width}x{height}, {args.repeats} repeats, median [best - worst], seconds")
    print(f"compiled kernel: {', '.join(sets) or 'absent'}; load average {os.getloadavg()[0]:.2f}\n")


def inference(args: argparse.Namespace, model: FNet, height: int, width: int) -> None:
    """Print the table of forms."""
    torch.manual_seed(1)
    a, b = (torch.nn.functional.avg_pool2d(torch.rand(1, 1, height + 8, width + 8), 9, 1) for _ in range(2))
    runs = {form: runner(model, form, a, b) for form in FORMS}
    reference = runs["plain"]()
    for form in FORMS[1:]:
        runs[form]()
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for _ in range(args.repeats):
        for form in FORMS:
            seconds[form].append(timed(runs[form]))
    macs = model.spec.macs_per_pixel * height * width
    floors = {"float32": floor_seconds(macs, torch.float32), "bf16": floor_seconds(macs, torch.bfloat16)}
    plain = statistics.median(seconds["plain"])
    print(f"{'form':<20}{'seconds':>24}{'plain/ours':>12}{'ours/floor':>12}{'peak MiB':>10}  error, grey levels of 255")
    for form in FORMS:
        median = statistics.median(seconds[form])
        spread = f"{median:.2f} [{min(seconds[form]):.2f} - {max(seconds[form]):.2f}]"
        floor = floors["bf16" if form.endswith("bf16") else "float32"]
        error = (runs[form]() - reference).abs() * 255 if form != "plain" else torch.zeros(1)
        sample = error.flatten().sort().values
        text = (
            f"mean {error.mean():.4f}, 99.9 % {sample[int(0.999 * (len(sample) - 1))]:.3f}, largest {error.max():.4f}"
        )
        print(f"{form:<20}{spread:>24}{plain / median:>12.2f}{median / floor:>12.2f}{peak(args, form):>10}  {text}")
    for name, floor in floors.items():
        print(f"{'floor ' + name:<20}{floor:>24.2f}{plain / floor:>12.2f}{1:>12.2f}")


def peak(args: argparse.Namespace, form: str) -> str:
    """Peak resident memory of a fresh process that runs one form once, MiB over that of one that runs nothing."""
    command = [sys.executable, __file__, "--size", args.size, "--threads", str(args.threads), "--peak"]
    sizes = [int(subprocess.run([*command, what], capture_output=True, text=True).stdout) for what in (form, "nothing")]
    return str(sizes[0] - sizes[1])


def peak_resident() -> int:
    """Peak resident memory of this process, kB. Not `getrusage`: on Linux that starts with the parent's peak."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def where_time_goes(model: FNet, height: int, width: int) -> None:
    """Print the share of each part of the compiled form, summed over threads."""
    module = kernel("lzsc")
    if module is None:
        return
    spent: dict[str, float] = {}

    class Timed:
        supports = staticmethod(module.supports)

        def __getattr__(self, name: str) -> Callable[..., object]:
            def call(*values: object) -> object:
                started = time.perf_counter()
                result = getattr(module, name)(*values)
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - started
                return result

            return call

    a, b = torch.rand(1, 1, height, width), torch.rand(1, 1, height, width)
    original, native_coding.Kernel = native_coding.Kernel, lambda name, instructions: Timed()
    print("\nwhere the time of the compiled form goes, one thread: seconds")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for precision in ("float32", "bf16"):
            spent.clear()
            model.precision = precision
            with torch.inference_mode():
                total = timed(lambda: model(a, b))
            parts = {"sums and thresholds": "step", "row sums to planes": "gather", "planes to bf16": "interleave"}
            text = ", ".join(f"{label} {spent.get(name, 0):.2f}" for label, name in parts.items())
            print(f"  {precision:<10} {text}, all else {total - sum(spent.values()):.2f}, total {total:.2f}")
    finally:
        native_coding.Kernel = original
        torch.set_num_threads(threads)


def training(args: argparse.Namespace, model: FNet) -> None:
    """Print the time of forward and backward of 8 crops of 96x96: plain autograd beside ours."""
    torch.manual_seed(2)
    a, b = torch.rand(8, 1, 96, 96), torch.rand(8, 1, 96, 96)
    calls = {"plain autograd": model.forward_plain, "ours": model}

    def step(name: str) -> None:
        model.zero_grad()
        calls[name](a, b).square().mean().backward()

    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for name in calls:
        step(name)
    for _ in range(args.repeats):
        for name in calls:
            seconds[name].append(timed(lambda name=name: step(name)))
    plain, ours = (statistics.median(seconds[name]) for name in calls)
    print("\ntraining, forward and backward of 8 crops of 96x96, seconds")
    print(f"  plain autograd {plain:.2f}, ours {ours:.2f}, plain/ours {plain / ours:.2f}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--checkpoint", type=Path, default=Path(__file__).parents[2] / "shared/reference/fnet/FNet.pth")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    width, height = map(int, args.size.split("x"))
    model = network(args.checkpoint)
    if args.peak:
        if args.peak != "nothing":
            runner(model, args.peak, torch.rand(1, 1, height, width), torch.rand(1, 1, height, width))()
        print(peak_resident() // 1024)
        return
    header(args, height, width)
    inference(args, model, height, width)
    where_time_goes(model, height, width)
    training(args, model)


if __name__ == "__main__":
    main()
