"""Medical volumes: NIfTI and DICOM in, brought together by their geometry, fused, and out again."""
