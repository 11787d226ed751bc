"""Fails where a wheel's name and its content disagree: `python tools/check_wheels.py dist/*.whl`.

A wheel of one platform holds both compiled kernels; a wheel for any platform (`py3-none-any`) holds none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

KERNELS = {"_lzsc", "_maps", "_pyramid", "_colour"}


def problem(wheel: Path) -> str | None:
    """What is wrong with `wheel`, or None."""
    with ZipFile(wheel) as archive:
        compiled = [re.fullmatch(r"polyfuse/ops/(\w+)\.(?:.+\.)?(?:so|pyd)", name) for name in archive.namelist()]
    kernels = {match[1] for match in compiled if match}
    wanted = set() if wheel.name.endswith("-none-any.whl") else KERNELS
    if kernels == wanted:
        return None
    return f"{wheel.name} holds {sorted(kernels) or 'no kernel'}, where {sorted(wanted) or 'no kernel'} belongs"


def main(names: Sequence[str]) -> int:
    """The exit status: 0 where every wheel named is as it should be."""
    if not names:
        print("no wheel was named: build one first", file=sys.stderr)
        return 2
    problems = [text for name in names if (text := problem(Path(name)))]
    print("\n".join(problems or [f"{len(names)} wheels are named after what they hold"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
