"""The curves of a run as one picture: losses and validation loss, gradient norms, rate, and notes if there are any."""

from __future__ import annotations

from pathlib import Path

from polyfuse.io import atomic_path
from polyfuse.train.journal import read_log

CURVES = "curves.png"
ROWS = ("loss", "gradient norm", "learning rate", "notes")


def draw_curves(folder: Path) -> Path | None:
    """Draw `curves.png` from the logs of a run folder.

    Returns:
        The picture, or None where Matplotlib is not installed or nothing is logged yet.
    """
    logs = sorted(folder.glob("log-*.csv"), key=lambda path: read_log(path).get("step", [0])[0])
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    if not logs:
        return None
    contents = [read_log(path) for path in logs]
    rows = ROWS if any(_row(name) == 3 for log in contents for name in log) else ROWS[:3]
    figure = Figure(figsize=(6 * len(logs), 3 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(logs), squeeze=False)
    for column, (path, log) in enumerate(zip(logs, contents, strict=True)):
        stage = path.stem.removeprefix("log-")
        val_path = folder / f"val-{stage}.csv"
        for name, values in log.items():
            if name not in ("step", "seconds"):
                axes[_row(name)][column].plot(log["step"], values, label=name, linewidth=1)
        val = read_log(val_path)
        if "total" in val:  # not where the file is damaged
            axes[0][column].plot(val["step"], val["total"], "k.-", label="validation total")
        axes[0][column].set_title(stage)
        for axis in (axes[0][column], axes[1][column]):
            axis.set_yscale("log")
        for row, label in enumerate(rows):
            axes[row][column].set_ylabel(label)
            if axes[row][column].lines:  # a stage may have no notes
                axes[row][column].legend(fontsize="small")
        axes[-1][column].set_xlabel("step")
    with atomic_path(folder / CURVES, overwrite=True) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
    return folder / CURVES


def _row(name: str) -> int:
    """Row that a column of the log belongs to; its name may begin with that of a turn."""
    words = name.split(".")
    return 3 if "note" in words else 1 if "norm" in words else 2 if words[-1] == "rate" else 0
