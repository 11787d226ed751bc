"""What fused pictures are good for: detectors and the like run on them, scored against ground truth."""
