"""`python -m polyfuse`."""

from polyfuse.cli import main

main()
