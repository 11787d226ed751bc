"""The verbs, their help and their docs pages stay in step."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Literal

import pytest

from polyfuse.registry.catalogue import names_with
from polyfuse.train import bundled_recipes

VERBS = [
    "ablate",
    "align",
    "benchmark",
    "compare",
    "data",
    "demo",
    "doctor",
    "downstream",
    "evaluate",
    "explain",
    "fuse",
    "live",
    "metrics",
    "models",
    "serve",
    "train",
]
PAGES = Path(__file__).resolve().parents[2] / "docs" / "verbs"


@cache
def help_of(*words: str) -> str:
    """What `polyfuse WORDS --help` prints on stdout; it must succeed and keep stderr empty."""
    run = subprocess.run(
        [sys.executable, "-m", "polyfuse", *words, "--help"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def commands_in(text: str) -> list[str]:
    """The names under `Commands:` in a click help text."""
    section = re.search(r"^Commands:\n((?:  .*\n?)+)", text, re.MULTILINE)
    return re.findall(r"^  ([a-z][\w-]*)", section[1], re.MULTILINE) if section else []


def options_in(text: str) -> set[str]:
    """The long options that a click help text or a docs page declares."""
    lines = [line for line in text.splitlines() if re.match(r"\s+-|\|.*`-", line)]
    heads = [re.split(r"\s{2,}", line.strip())[0] if line.startswith(" ") else line.split("|")[1] for line in lines]
    return {option for head in heads for option in re.findall(r"--[a-z][a-z0-9-]*", head)} - {"--help"}


def all_options(*words: str) -> set[str]:
    """The options of a verb and of every sub-command below it."""
    text = help_of(*words)
    return options_in(text).union(*(all_options(*words, name) for name in commands_in(text)))


def test_help_lists_exactly_the_verbs() -> None:
    assert sorted(commands_in(help_of())) == VERBS


def test_every_verb_has_a_docs_page_and_no_page_is_left_over() -> None:
    assert sorted(page.stem for page in PAGES.glob("*.md")) == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_verb_and_its_page_name_the_same_options(verb: str) -> None:
    assert all_options(verb) == options_in((PAGES / f"{verb}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("verb", VERBS)
def test_page_names_every_sub_command(verb: str) -> None:
    page = (PAGES / f"{verb}.md").read_text(encoding="utf-8")
    assert [name for name in commands_in(help_of(verb)) if f"polyfuse {verb} {name}" not in page] == []


def in_one_line(text: str) -> str:
    """A help text without its line breaks."""
    return " ".join(text.split())


def test_help_of_ablate_names_the_families_that_have_a_study() -> None:
    *others, last = names_with("study")
    assert f"FAMILY is {', '.join(others)} or {last}." in in_one_line(help_of("ablate"))


@pytest.mark.parametrize("verb", ["import", "export"])
def test_help_of_models_names_the_families_that_can_be_converted(verb: Literal["import", "export"]) -> None:
    assert f"of FAMILY ({', '.join(names_with(verb))}) to" in in_one_line(help_of("models", verb))


@pytest.mark.parametrize("columns", ["80", "100"])
def test_help_of_train_names_the_recipes_and_breaks_none_of_the_names(columns: str) -> None:
    environment = {**os.environ, "COLUMNS": columns}
    command = [sys.executable, "-m", "polyfuse", "train", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    *others, last = bundled_recipes()
    assert f"These are {', '.join(others)} and {last}." in in_one_line(text)


def test_version_option_prints_the_version() -> None:
    from polyfuse._version import __version__

    run = subprocess.run([sys.executable, "-m", "polyfuse", "--version"], capture_output=True, text=True, check=False)
    assert (run.returncode, __version__ in run.stdout) == (0, True)


def test_unknown_verb_is_a_usage_error() -> None:
    run = subprocess.run([sys.executable, "-m", "polyfuse", "fuze"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert "fuze" in run.stderr


def test_help_parser_reads_commands_and_options() -> None:
    text = (
        "Usage: polyfuse x [OPTIONS]\n\n  Words - and --not-an-option in a sentence.\n\nOptions:\n"
        "  -o, --out PATH          Where, see --range.\n  --grey / --no-grey      Say.\n  --help  Show.\n\n"
        "Commands:\n  list    All.\n  show    One.\n"
    )
    assert commands_in(text) == ["list", "show"]
    assert options_in(text) == {"--out", "--grey", "--no-grey"}


def test_page_parser_reads_option_tables() -> None:
    text = "Use `--debug` freely.\n\n| option | meaning |\n|---|---|\n| `-o`, `--out PATH` | as `--other` |\n"
    assert options_in(text) == {"--out"}
