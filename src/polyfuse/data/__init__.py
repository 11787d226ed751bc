"""Data sets to train on: their folder layouts, packs of their pictures, and batches of random crops."""
