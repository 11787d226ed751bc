"""A small detector of our own, trained from scratch on each contestant's pictures."""
