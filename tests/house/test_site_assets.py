"""The documentation site carries what it shows: its own pictures and scripts, nothing from another host."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "docs/assets"
PACKAGES = ["data", "errors", "evaluation", "explain", "fusion", "metrics", "registry", "train", "video"]


def test_gallery_holds_the_pictures_of_the_home_page() -> None:
    shown = set(re.findall(r'src="assets/gallery/([^"]+)"', (ROOT / "docs/index.md").read_text("utf-8")))
    assert shown == {path.name for path in (ASSETS / "gallery").iterdir()}


def test_gallery_is_small() -> None:
    assert sum(path.stat().st_size for path in (ASSETS / "gallery").iterdir()) < 1_500_000


@pytest.mark.parametrize("name", ["compare.js", "formulas.js", "metric-formulas.js", "site.css"])
def test_own_script_or_style_names_no_host(name: str) -> None:
    assert not re.search(r"https?:", (ASSETS / name).read_text("utf-8"))


def test_site_is_set_up_without_other_hosts() -> None:
    settings = re.sub(r"#.*", "", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert "://" not in settings
    assert "font: false" in settings
    assert "vendor/iframe-worker/" in settings  # else the plugin `offline` takes its copy from another host


def test_files_of_others_come_with_their_licence() -> None:
    folders = [path for path in (ASSETS / "vendor").iterdir() if path.is_dir()]
    said = (ASSETS / "vendor/README.txt").read_text("utf-8")
    assert [path.name for path in folders if not (path / "LICENSE").is_file() or f"{path.name}/" not in said] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_package_has_a_page_of_the_api(package: str) -> None:
    page = (ROOT / f"docs/reference/{package}.md").read_text("utf-8")
    assert re.search(rf"^::: polyfuse\.{package}\b", page, re.MULTILINE)
    assert f"reference/{package}.md" in (ROOT / "mkdocs.yml").read_text("utf-8")


def test_every_metric_page_has_its_formula_in_tex() -> None:
    text = (ASSETS / "metric-formulas.js").read_text("utf-8")
    drawn = set(re.findall(r"^    (\w+): String\.raw`", text, re.MULTILINE))
    drawn |= {
        f"fmi_{name}" for name in re.findall(r'"(\w+)"', text.rpartition("Object.fromEntries([")[2].partition("]")[0])
    }
    pages = {path.stem for path in (ROOT / "docs/metrics").glob("*.md")} - {"index", "why-numbers-differ"}
    assert drawn == pages
