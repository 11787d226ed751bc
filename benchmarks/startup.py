"""How long `import polyfuse` and `polyfuse --help` take, beside bare Python: medians of fresh processes.

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPEATS = 15
COMMANDS = {
    "bare python": [sys.executable, "-c", "pass"],
    "import polyfuse": [sys.executable, "-c", "import polyfuse"],
    "polyfuse --help": [sys.executable, "-m", "polyfuse", "--help"],
    "polyfuse fuse --help": [sys.executable, "-m", "polyfuse", "fuse", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def main() -> None:
    """Print the table."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
    print(f"{'command':<22}{'median s':>10}{'best':>8}{'worst':>8}   {REPEATS} fresh processes each")
    for name, values in seconds.items():
        print(f"{name:<22}{statistics.median(values):>10.3f}{min(values):>8.3f}{max(values):>8.3f}")


if __name__ == "__main__":
    main()
