"""Comparing methods: fused by models or given as folders, scored, and put on a page to look at."""

from polyfuse.comparison.notebook import ComparePage, compare
from polyfuse.comparison.request import DEFAULT_METRICS, Request, find_pictures
from polyfuse.comparison.run import Made, make_page

__all__ = ["DEFAULT_METRICS", "ComparePage", "Made", "Request", "compare", "find_pictures", "make_page"]
