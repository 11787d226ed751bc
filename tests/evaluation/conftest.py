"""Small pictures of two methods with their sources, and reports made from given numbers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from polyfuse.evaluation import Collected, Evaluation, Item, Method, Report, Scored, Task, make_report
from polyfuse.io import Pair, write_picture

Numbers = dict[str, Sequence[dict[str, float]]]


@pytest.fixture
def scenes(tmp_path: Path) -> Callable[..., tuple[Path, Path, dict[str, Path]]]:
    """Folders ir/, vi/ and one for each method, with pictures 0, 1, 2, ...: a mixture and noise over it."""

    def build(count: int = 3, size: tuple[int, int] = (48, 56)) -> tuple[Path, Path, dict[str, Path]]:
        rng = np.random.default_rng(3)
        rows, columns = np.mgrid[: size[0], : size[1]]
        for index in range(count):
            warm = np.hypot(rows - 20 - index, columns - 25) < 12
            ir = (40 + 150 * warm + rng.integers(0, 9, size)).astype(np.uint8)
            vi = np.clip(2 * rows + 30 * np.sin(columns / (3 + index)) + 60, 0, 255).astype(np.uint8)
            mean = ((ir.astype(int) + vi) // 2).astype(np.uint8)
            noisy = mean // 2 + rng.integers(0, 99, size, np.uint8)
            pictures: dict[str, np.ndarray] = {"ir": ir, "vi": vi, "mix": mean, "noisy": noisy}
            for folder, picture in pictures.items():
                write_picture(tmp_path / folder / f"{index}.png", picture)
        return tmp_path / "ir", tmp_path / "vi", {"mix": tmp_path / "mix", "noisy": tmp_path / "noisy"}

    return build


@pytest.fixture
def report_of() -> Callable[..., Report]:
    """A report of made-up numbers: method name to the values of each picture; names with a star are baselines."""

    def build(numbers: Numbers, protocol: str = "cddfuse", **how: object) -> Report:
        methods = [Method(n.rstrip("*"), "baseline" if n.endswith("*") else "method") for n in numbers]
        names = tuple(next(iter(numbers.values()))[0])
        sided = [name for name in names if name in ("MI", "VIF", "Qabf", "SSIM")]
        collected = Collected()
        for index in range(len(next(iter(numbers.values())))):
            found = {
                method: Evaluation(
                    protocol,
                    dict(v[index]),
                    {n: v[index][n] / 4 for n in sided},
                    dict.fromkeys(sided, 1 / 3),
                    of_b=dict.fromkeys(set(names) & {"FlatSD"}, 2.5),
                )
                for method, v in zip(methods, numbers.values(), strict=True)
            }
            item = Item(Pair(str(index), Path("a"), Path("b")), {})
            collected.add(Scored(item, found, digests=("a" * 64, "b" * 64)))
        return make_report(collected, Task(names, protocol), methods, **how)  # type: ignore[arg-type]

    return build
