"""Modules that two or more networks share; a block used once stays in its model file."""
