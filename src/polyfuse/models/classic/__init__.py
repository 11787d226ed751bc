"""Fusion without learning: baselines every table should hold, with the face of any other model."""
