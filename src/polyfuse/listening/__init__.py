"""What the servers of `compare`, `live` and `serve` share: which addresses are of this machine, and how one listens."""
