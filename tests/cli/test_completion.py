"""Tab offers the names of models, recipes and metrics, and loads nothing heavy to find them."""

import os
import subprocess
import sys

import pytest

from polyfuse import list_models
from polyfuse.cli import completion
from polyfuse.metrics import METRICS
from polyfuse.train import bundled_recipes

PROGRAM = """
import sys
from polyfuse.cli import main
try:
    main()
finally:
    assert not {"torch", "numpy"} & sys.modules.keys(), "heavy"
"""


def offered(*words: str) -> list[str]:
    """What bash is offered after `polyfuse WORDS`, the last of them unfinished."""
    line = ["polyfuse", *words]
    environment = {
        **os.environ,
        "_POLYFUSE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
    }
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=environment)
    assert run.stderr == ""
    return [entry.partition(",")[2] for entry in run.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("eval",), ["evaluate"]),
        (("fuse", "--model", "FNET.R"), ["fnet.road", "fnet.road-paper"]),
        (("models", "show", "lap"), ["laplacian"]),
        (("models", "card", "smfnet-s.b"), ["smfnet-s.brain"]),
        (("models", "import", "fn"), ["fnet"]),
        (("ablate", "dae"), ["daefuse"]),
        (("train", "fnet-t"), ["fnet-t-cpu"]),
        (("metrics", "viff"), ["VIFF"]),
        (("evaluate", "--metrics", "MI,qabf_"), ["MI,Qabf_petrovic"]),
    ],
)
def test_names_are_offered(words: tuple[str, ...], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_lists_are_those_of_the_library() -> None:
    assert tuple(METRICS) == completion.METRICS
    assert completion.bundled_recipes() == list(bundled_recipes())
    models = [item.value for item in completion.complete_models(None, None, "")]  # type: ignore[arg-type]
    assert sorted(models) == sorted(entry.name for entry in list_models())


def test_recipe_may_be_a_file() -> None:
    (item,) = completion.complete_recipes(None, None, "./mine")  # type: ignore[arg-type]
    assert (item.value, item.type) == ("./mine", "file")
