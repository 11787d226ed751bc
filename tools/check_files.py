"""What every file keeps, for pre-commit: `python tools/check_files.py ends|sizes FILE...`.

`ends` puts one line break at the end of a text and takes blanks off the ends of its lines; `sizes` refuses files of
more than 200 KiB that are not weights in the box. Both print the problems and exit with 1 if there are any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

LARGEST = 200 * 1024


def mend(path: Path) -> str | None:
    """Mend the ends of the lines of `path`; returns a line about it, or None where nothing was to be done."""
    old = path.read_bytes()
    new = re.sub(rb"[ \t]+(?=\r?\n|\Z)", b"", old).rstrip(b"\r\n")
    new += b"\n" if new else b""
    if new == old:
        return None
    path.write_bytes(new)
    return f"{path}: ends of lines mended"


def too_large(path: Path) -> str | None:
    """A line about `path` where it is larger than a file of the repository may be, or None."""
    size = path.stat().st_size
    if size <= LARGEST or path.match("src/polyfuse/weights/*.safetensors"):
        return None
    return f"{path}: {size // 1024} KiB, more than {LARGEST // 1024}: make it where it is needed, or raise the limit"


def main(what: str, names: Sequence[str]) -> int:
    """Check the files and print the problems; the exit status is 0 where there are none."""
    check = {"ends": mend, "sizes": too_large}[what]
    problems = [text for name in names if (text := check(Path(name)))]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
