"""FNet: interpretable fusion by learned l0 convolutional sparse coding."""
