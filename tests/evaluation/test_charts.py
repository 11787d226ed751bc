"""Charts: complete files of both kinds, deterministic, with what they show written on them."""

import builtins
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from polyfuse.errors import DependencyError, OutputError
from polyfuse.evaluation import Report, check_ready, save
from polyfuse.evaluation.charts import box_chart, has_radar, radar_chart, relative, rendered

ReportOf = Callable[..., Report]
pytest.importorskip("matplotlib")


@pytest.fixture
def report(report_of: ReportOf) -> Report:
    rng = np.random.default_rng(1)
    names = ("MI", "VIF", "SSIM", "MSE")
    numbers = {f"method {m}": [dict(zip(names, rng.uniform(1, 2, 4), strict=True)) for _ in range(5)] for m in "xy"}
    numbers["method x"][0]["VIF"] = math.nan
    numbers["copy a*"] = [dict.fromkeys(names, 5.0)] * 5
    numbers["average*"] = [dict.fromkeys(names, 1.5)] * 5
    return report_of(numbers)


def test_charts_of_both_kinds_are_written(report_of: ReportOf, tmp_path: Path) -> None:
    report = report_of({m: [{"MI": 1.0, "MSE": i + 2.0, "CC": 0.5} for i in range(4)] for m in "xy"})
    paths = [path.name for path in save(report, tmp_path)]
    stems = ["radar", "box_MI", "box_MSE", "box_CC"]
    assert paths[5:] == [f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")]
    with Image.open(tmp_path / "radar.png") as image:
        assert np.asarray(image.convert("RGB")).std() > 5
    assert (tmp_path / "box_MI.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_same_chart_gives_the_same_bytes(report: Report) -> None:
    assert rendered(radar_chart(report), "svg") == rendered(radar_chart(report), "svg")


def test_radar_says_how_it_is_scaled_and_leaves_copies_out(report: Report) -> None:
    text = " ".join(re.sub("<[^>]+>", " ", rendered(radar_chart(report), "svg").decode()).split())
    for words in ("method x", "average", "MSE ↓", "best over mean", "Protocol cddfuse, 5 pairs"):
        assert words in text
    assert "copy a" not in text


def test_smaller_is_better_is_inverted(report: Report) -> None:
    metric = next(metric for metric in report.metrics if metric.name == "MSE")
    shares = [relative(metric, row, report.rows[:2]) for row in report.rows[:2]]
    means = [row.summaries["MSE"].mean for row in report.rows[:2]]
    assert shares[means.index(min(means))] == 1
    assert 0 < min(shares) < 1


def test_radar_needs_three_metrics_and_two_rows(report: Report, report_of: ReportOf) -> None:
    assert has_radar(report)
    assert not has_radar(report_of({"x": [{"MI": 1.0, "VIF": 1.0, "CC": 1.0}]}))
    assert not has_radar(report_of({m: [{"MI": 1.0, "VIF": 1.0}] for m in "xy"}))


def test_box_plot_has_a_row_for_each_method_and_counts_what_is_left_out(report: Report) -> None:
    column = next(column for column in report.columns if column.key == "VIF")
    text = rendered(box_chart(report, column), "svg").decode()
    for words in ("method x  n=4", "method y  n=5", "copy a  n=5", "VIF[cddfuse] ↑", "1 values are not finite"):
        assert words in text


def test_box_plot_without_any_number_is_drawn_empty(report_of: ReportOf) -> None:
    report = report_of({"x": [{"SCD": math.nan}]})
    assert rendered(box_chart(report, report.columns[0]), "png").startswith(b"\x89PNG")


def test_missing_matplotlib_is_told_with_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **how: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **how)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DependencyError, match=r"polyfuse\[plots\].*--no-charts"):
        check_ready(tmp_path, [], charts=True, overwrite=False)
    check_ready(tmp_path, [], charts=False, overwrite=False)


def test_existing_file_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "table.md").touch()
    with pytest.raises(OutputError, match=r"table\.md exists: pass --overwrite"):
        check_ready(tmp_path, [], charts=False, overwrite=False)
    check_ready(tmp_path, [], charts=False, overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        check_ready(tmp_path / "table.md", [], charts=False, overwrite=True)
