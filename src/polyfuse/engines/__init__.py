"""Exported models, run by onnxruntime or OpenVINO; NumPy only, for installations without PyTorch."""

from polyfuse.engines.model import ExportedModel, load_exported

__all__ = ["ExportedModel", "load_exported"]
