"""`polyfuse doctor` says what the installation is made of."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse._version import __version__
from polyfuse.cli import doctor
from polyfuse.ops import native_kernels, native_maps_sets

Runner = Callable[..., Any]


def test_lines_name_versions_kernels_threads_devices_and_extras(polyfuse: Runner) -> None:
    ran = polyfuse("doctor")
    assert (ran.code, ran.err) == (0, [])
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in ran.out}
    assert (lines["polyfuse"], lines["torch"], lines["numpy"]) == (__version__, torch.__version__, np.__version__)
    assert {"python", "system", "lzsc", "maps", "pyramid", "colour", "threads", "devices", "extras"} <= lines.keys()
    assert lines["devices"].startswith("cpu")


def test_json_has_the_instruction_sets(polyfuse: Runner) -> None:
    facts = json.loads("\n".join(polyfuse("doctor", "--json").out))
    assert facts["kernels"].keys() == {"lzsc", "maps", "pyramid", "colour"}
    built = native_kernels.kernel("maps") is not None
    expected = {"float32": native_maps_sets.maps_instruction_set(torch.float32)}
    assert (facts["kernels"]["maps"] or {}).get("float32") == (expected["float32"] if built else None)


def test_kernel_that_is_not_built_is_told(polyfuse: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_kernels, "kernel", lambda name: None)
    text = "\n".join(polyfuse("doctor").out)
    assert text.count("not built") == 4


def test_missing_extra_comes_with_the_command_that_brings_it(polyfuse: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.EXTRAS, "video", ("a_module_that_is_not_there",))
    assert re.search(r'missing .*\bvideo\b.*: pip install "polyfuse\[[^]]*\bvideo\b', "\n".join(polyfuse("doctor").out))


def test_extras_are_those_of_the_package() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    declared = tomllib.loads(text)["project"]["optional-dependencies"].keys()
    assert declared - {"all", "test", "browser", "lint", "docs", "dev"} == doctor.EXTRAS.keys()
