"""Distances and losses that families share; functions of tensors that return a scalar to be minimised."""
