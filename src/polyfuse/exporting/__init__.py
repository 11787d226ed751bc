"""From a model to files that other programs run."""

from polyfuse.exporting.onnx import Exported, export_onnx

__all__ = ["Exported", "export_onnx"]
