"""One file per network or classic method, all with the same face."""
