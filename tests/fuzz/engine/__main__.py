"""Run many cases and print what became of them, or write one case to a file and read it.

From the root of the checkout: `python -m tests.fuzz.engine run`, `python -m tests.fuzz.engine case "png" 17 -o FOLDER`.
"""

from __future__ import annotations

import argparse
import tempfile
import traceback
from pathlib import Path

import torch

from tests.fuzz.engine.running import KINDS, SEED, Case, Corpus, Tally, run_cases


def main() -> int:
    """Do what the arguments say; returns 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.engine", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    many = verbs.add_parser("run", help="run many cases")
    many.add_argument("--cases", type=int, default=1680, help="of each kind")
    many.add_argument("--first", type=int, default=0, help="number of the first")
    many.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}")
    one = verbs.add_parser("case", help="write one case to a file and read it")
    one.add_argument("kind", choices=KINDS, metavar="KIND")
    one.add_argument("index", type=int)
    one.add_argument("-o", "--out", type=Path, required=True, help="folder for the file")
    for verb in (many, one):
        verb.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder))
        if arguments.verb == "case":
            return _show(corpus, corpus.case(arguments.seed, arguments.kind, arguments.index), arguments.out)
        return _run(corpus, arguments)


def _run(corpus: Corpus, arguments: argparse.Namespace) -> int:
    """Run many cases of each kind, a line for each kind."""
    total, current = Tally(), Path(tempfile.gettempdir()) / "polyfuse-fuzz-current"
    print(f"seed {arguments.seed}; the case under way is named in {current}", flush=True)
    for kind in arguments.kinds:
        indices = range(arguments.first, arguments.first + arguments.cases)
        tally = run_cases(corpus, arguments.seed, kind, indices, lambda case: current.write_text(case.command))
        print("\n".join([f"{kind}: {tally}", *tally.failures]), flush=True)
        total.merge(tally)
    current.unlink(missing_ok=True)
    print(f"all: {total}")
    return bool(total.failures)


def _show(corpus: Corpus, case: Case, out: Path) -> int:
    """Write a case to a file, read it, and print what became of it."""
    path = out / case.file.place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.content)
    print(f"{path}, from {case.file.name}, {len(case.content)} bytes", flush=True)
    seen = corpus.run(case)
    if seen.trace is not None:
        traceback.print_exception(seen.trace)
    print("\n".join([f"{seen.state}, {seen.seconds:.2f} s, {seen.megabytes:.0f} MB", seen.message, *seen.problems]))
    return bool(seen.problems)


if __name__ == "__main__":
    raise SystemExit(main())
