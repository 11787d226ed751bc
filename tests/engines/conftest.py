"""Exported models, made once for all tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from polyfuse import registry
from polyfuse.exporting import export_onnx

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`(name) -> file` of an exported model."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def export(name: str) -> Path:
        if name not in made:
            made[name] = export_onnx(registry.load(name), folder / f"{name}.onnx").path
        return made[name]

    return export
