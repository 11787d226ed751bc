"""Pure tensor mathematics without state; everything above may use it."""
