"""A tour of one minute on input that comes with the package."""

from polyfuse.demo.tour import run_tour

__all__ = ["run_tour"]
