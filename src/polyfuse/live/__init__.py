"""Two running sources, cameras, addresses or clips in real time, fused frame by frame while they run."""
