"""Weights on disk: safetensors with metadata, checked before use; pickles only through an explicit import."""
