"""Semantic segmentation as a judge of fused pictures: truth in its layouts, scores, networks trained per input."""
