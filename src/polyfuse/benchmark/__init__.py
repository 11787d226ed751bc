"""A whole comparison in one go: sets, methods, scores, tests, timings and everything that shows them."""
