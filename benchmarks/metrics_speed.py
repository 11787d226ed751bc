"""Speed of the metrics on this machine: plain transcriptions of their definitions and ours, side by side from one run.

    python benchmarks/metrics_speed.py                                  # a drawn 640x480 pair, 1 thread
    python benchmarks/metrics_speed.py --all                            # every metric of ours as well, under canonical
    python benchmarks/metrics_speed.py --folder FUSED A B               # pictures per second of `polyfuse evaluate`

The transcriptions follow the definitions of the CDDFuse evaluator with NumPy and SciPy (`pip install scipy`), nothing
shared. Ours is the float64 code of the package. Contestants take turns; a row gives the median of the runs
in milliseconds. Reading files is not included, except with --folder. Prints ratios, never passes or fails.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from polyfuse.metrics import METRICS, score
from polyfuse.scenes import SceneConfig, render_scene
from polyfuse.transforms import luma

NAMES = ("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "SSIM")


def plain_en(fused, a, b):
    shares = np.bincount(fused.astype(np.uint8).ravel(), minlength=256) / fused.size
    shares = shares[shares > 0]
    return -(shares * np.log2(shares)).sum()


def plain_sd(fused, a, b):
    return np.sqrt(((fused - fused.mean()) ** 2).mean())


def plain_sf(fused, a, b):
    return np.sqrt((np.diff(fused, axis=1) ** 2).mean() + (np.diff(fused, axis=0) ** 2).mean())


def plain_mi(fused, a, b):
    def information(x, y):
        joint = np.histogram2d(x.ravel(), y.ravel(), bins=256, range=((-0.5, 255.5), (-0.5, 255.5)))[0] / x.size
        product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        seen = joint > 0
        return (joint[seen] * np.log(joint[seen] / product[seen])).sum()

    return information(a, fused) + information(b, fused)


def plain_scd(fused, a, b):
    def correlation(x, y):
        x, y = x - x.mean(), y - y.mean()
        return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())

    return correlation(fused - b, a) + correlation(fused - a, b)


def plain_vif(fused, a, b):
    from scipy.signal import correlate2d

    def fidelity(source, distorted):
        kept = present = 0.0
        for scale in range(1, 5):
            size = 2 ** (5 - scale) + 1
            y, x = np.mgrid[:size, :size] - size // 2
            window = np.exp(-(x**2 + y**2) / (2 * (size / 5) ** 2))
            window /= window.sum()

            def mean(picture, window=window):
                return correlate2d(picture, window, mode="valid")

            if scale > 1:
                source, distorted = mean(source)[::2, ::2], mean(distorted)[::2, ::2]
            mean_s, mean_d = mean(source), mean(distorted)
            var_s = np.maximum(mean(source * source) - mean_s**2, 0)
            var_d = np.maximum(mean(distorted * distorted) - mean_d**2, 0)
            cov = mean(source * distorted) - mean_s * mean_d
            gain = cov / (var_s + 1e-10)
            noise = var_d - gain * cov
            flat = var_s < 1e-10
            gain[flat], noise[flat], var_s[flat] = 0, var_d[flat], 0
            flat = var_d < 1e-10
            gain[flat], noise[flat] = 0, 0
            negative = gain < 0
            noise[negative], gain[negative] = var_d[negative], 0
            noise = np.maximum(noise, 1e-10)
            kept += np.log10(1 + gain**2 * var_s / (noise + 2)).sum()
            present += np.log10(1 + var_s / 2).sum()
        return kept / present

    return fidelity(a, fused) + fidelity(b, fused)


def plain_qabf(fused, a, b):
    from scipy.signal import convolve2d

    across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)
    upward = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], float)

    def edges(picture):
        x, y = (convolve2d(picture, kernel, mode="same") for kernel in (across, upward))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(x * x + y * y), np.where(x == 0, np.pi / 2, np.arctan(y / x))

    def quality(strength, angle):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(strength > strength_f, strength_f / strength, strength / strength_f)
        ratio = np.where(strength == strength_f, strength_f, ratio)
        turn = 1 - np.abs(angle - angle_f) / (np.pi / 2)
        return 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * 0.9879 / (1 + np.exp(-22 * (turn - 0.8)))

    strength_f, angle_f = edges(fused)
    (strength_a, angle_a), (strength_b, angle_b) = edges(a), edges(b)
    kept = quality(strength_a, angle_a) * strength_a + quality(strength_b, angle_b) * strength_b
    return kept.sum() / (strength_a + strength_b).sum()


def plain_ssim(fused, a, b):
    from scipy.ndimage import uniform_filter

    def similarity(x, y):
        x, y = x.astype(np.float32), y.astype(np.float32)
        mean_x, mean_y = uniform_filter(x, 7), uniform_filter(y, 7)
        var_x = 49 / 48 * (uniform_filter(x * x, 7) - mean_x * mean_x)
        var_y = 49 / 48 * (uniform_filter(y * y, 7) - mean_y * mean_y)
        cov = 49 / 48 * (uniform_filter(x * y, 7) - mean_x * mean_y)
        c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
        ratio = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
        ratio /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
        return ratio[3:-3, 3:-3].mean(dtype=np.float64)

    return similarity(fused, a) + similarity(fused, b)


def plain_visibility(fused, a, b):
    """VIS, LOST and the terms of both by source, as the definition reads."""
    from scipy.ndimage import uniform_filter

    def box(x):
        return uniform_filter(x, 11, mode="mirror")

    fused, a, b = fused / 255, a / 255, b / 255
    rows = []
    for _ in range(4):
        mean_f, mean_a, mean_b = box(fused), box(a), box(b)
        var_f, var_a, var_b = (
            np.maximum(box(x * x) - mean**2, 0) for x, mean in ((fused, mean_f), (a, mean_a), (b, mean_b))
        )
        cov_a, cov_b = box(fused * a) - mean_f * mean_a, box(fused * b) - mean_f * mean_b
        of_a = var_a >= var_b
        var, cov = np.where(of_a, var_a, var_b), np.where(of_a, cov_a, cov_b)
        contrast = np.sqrt(var)
        kept = np.clip(cov / (np.sqrt(var * var_f) + 1e-5), 0, 1)
        kept *= np.minimum(1, np.sqrt((var_f + 1e-5) / (var + 1e-5)))
        visible, lost = contrast > 0.06, (contrast > 0.06) & (kept < 0.4)
        places = (np.ones_like(of_a), of_a, ~of_a)
        rows.append([(kept * contrast)[place].sum() / contrast[place].sum() for place in places])
        rows[-1] += [lost[place].sum() / visible[place].sum() for place in places]
        height, width = (side // 2 * 2 for side in a.shape)
        fused, a, b = (
            x[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) for x in (fused, a, b)
        )
    return np.nanmean(rows, axis=0)


PLAIN = {name: globals()[f"plain_{name.lower()}"] for name in NAMES}


def drawn_pair(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Thermal and visible luma of a drawn street, whole levels of 0..255, float64."""
    scene = render_scene(SceneConfig(width=width, height=height))
    return scene.thermal.astype(np.float64), np.round(luma(scene.visible / 255.0) * 255)


def median_ms(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each call, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: 1e3 * statistics.median(values[1:]) for name, values in seconds.items()}


def tensor(picture: np.ndarray) -> torch.Tensor:
    """(1, 1, H, W) uint8."""
    return torch.from_numpy(picture.astype(np.uint8))[None, None]


def six_numbers(pictures: list[torch.Tensor]) -> list[float]:
    """VIS, its terms, LOST and its terms of one picture."""
    names = ("VIS", "LOST")
    scores = score(*pictures, metrics=names, protocol="canonical", terms=names)
    return [float(value) for name in names for value in (scores.values[name], *scores.terms[name])]


def compare(a: np.ndarray, b: np.ndarray, repeats: int) -> None:
    """Print the table of the eight metrics: one by one, and all in one call."""
    fused = np.round((np.maximum(a, b) + (a + b) / 2) / 2)
    pictures = [tensor(picture) for picture in (fused, a, b)]
    calls: dict[str, Callable[[], object]] = {}
    for name in NAMES:
        calls[f"plain {name}"] = lambda name=name: PLAIN[name](fused, a, b)
        calls[f"ours {name}"] = lambda name=name: score(*pictures, metrics=[name], protocol="cddfuse")
    calls["ours all"] = lambda: score(*pictures, metrics=NAMES, protocol="cddfuse")
    calls["plain visibility"] = lambda: plain_visibility(fused, a, b)
    calls["ours visibility"] = lambda: six_numbers(pictures)
    milliseconds = median_ms(calls, repeats)
    ours = score(*pictures, metrics=NAMES, protocol="cddfuse").values
    print(f"{'metric':<22}{'plain ms':>10}{'ours ms':>10}{'plain/ours':>12}{'difference':>14}")
    for name in NAMES:
        plain, own = milliseconds[f"plain {name}"], milliseconds[f"ours {name}"]
        difference = abs(float(ours[name]) - PLAIN[name](fused, a, b))
        print(f"{name:<22}{plain:>10.1f}{own:>10.1f}{plain / own:>12.1f}{difference:>14.1e}")
    total = sum(milliseconds[f"plain {name}"] for name in NAMES)
    own = milliseconds["ours all"]
    print(f"{'all eight in one call':<22}{total:>10.1f}{own:>10.1f}{total / own:>12.1f}")
    plain, own = milliseconds["plain visibility"], milliseconds["ours visibility"]
    difference = np.abs(np.subtract(six_numbers(pictures), plain_visibility(fused, a, b))).max()
    print(f"{'VIS, LOST and terms':<22}{plain:>10.1f}{own:>10.1f}{plain / own:>12.1f}{difference:>14.1e}")


def list_all(a: np.ndarray, b: np.ndarray, repeats: int) -> None:
    """Print the time of every metric of ours by itself, under canonical or the first protocol it has."""
    pictures = [tensor(picture) for picture in (np.round((a + b) / 2), a, b)]
    calls = {}
    for metric in METRICS.values():
        protocol = "canonical" if "canonical" in metric.variants else next(iter(metric.variants))
        label = f"{metric.name}[{protocol}]"
        calls[label] = lambda metric=metric, protocol=protocol: metric(*pictures, protocol=protocol)
    for label, milliseconds in median_ms(calls, repeats).items():
        print(f"{label:<28}{milliseconds:>10.1f} ms")


def folder_speed(fused: str, a: str, b: str) -> None:
    """Print the pictures per second of the command, start-up included."""
    command = [sys.executable, "-m", "polyfuse", "evaluate", fused, a, b, "--format", "csv", "--quiet"]
    started = time.perf_counter()
    table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - started
    rows = list(csv.DictReader(table.splitlines()))
    metrics, count = (
        len({row["metric"].removesuffix("_min").removesuffix("_bal").removesuffix("_b") for row in rows}),
        int(rows[0]["n"]),
    )
    speed = f"{count / seconds:.1f} pictures/s with start-up"
    print(f"polyfuse evaluate: {metrics} metrics of {count} pictures in {seconds:.1f} s, {speed}")


def processor() -> str:
    """Name of the processor."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="640x480", help="width x height of the drawn pair")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="time every metric of ours as well")
    parser.add_argument("--folder", nargs=3, metavar=("FUSED", "A", "B"), help="time the command on folders instead")
    options = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores, torch {torch.__version__}, NumPy {np.__version__}")
    if options.folder:
        folder_speed(*options.folder)
        return
    torch.set_num_threads(options.threads)
    width, height = map(int, options.size.split("x"))
    print(f"{width}x{height}, {options.threads} thread(s), float64, median of {options.repeats}")
    warnings.simplefilter("ignore")
    a, b = drawn_pair(width, height)
    compare(a, b, options.repeats)
    if options.all:
        list_all(a, b, options.repeats)


if __name__ == "__main__":
    main()
