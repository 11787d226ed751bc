"""Many machines: files at addresses, and fusing and scoring on the workers of Ray."""
