"""Whatever is done to a file, it is read or refused in one line: nothing else escapes, is printed, or is left behind.

A few cases of each kind by default, 20,160 of them with `-m slow`. The first line of a failure names the case and the
last the command that writes it to a file.
"""

import pytest

from tests.fuzz.engine.running import KINDS, SEED, Corpus, Tally, run_cases

FEW = 25
"""Cases of each kind in the default suite, 300 in all."""
CHUNK, NUM_CHUNKS = 240, 7
"""Cases of a slow test, and such tests of each kind: 20,160 cases in all."""


def check(tally: Tally) -> None:
    print(tally)
    assert not tally.failures, "\n".join(tally.failures)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_or_refused_in_one_line(corpus: Corpus, kind: str) -> None:
    tally = run_cases(corpus, SEED, kind, range(FEW))
    check(tally)
    assert sum(tally.states.values()) == FEW


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(NUM_CHUNKS))
@pytest.mark.parametrize("kind", KINDS)
def test_many_changed_files_are_read_or_refused_in_one_line(corpus: Corpus, kind: str, chunk: int) -> None:
    check(run_cases(corpus, SEED, kind, range(CHUNK * chunk, CHUNK * (chunk + 1))))


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_whatever_was_made_before(corpus: Corpus, kind: str) -> None:
    once = [corpus.case(SEED, kind, index).content for index in (0, 5, 11)]
    assert once[::-1] == [corpus.case(SEED, kind, index).content for index in (11, 5, 0)]
    assert once != [corpus.case(SEED + 1, kind, index).content for index in (0, 5, 11)]


@pytest.mark.parametrize("kind", KINDS)
def test_nearly_every_case_is_another_file(corpus: Corpus, kind: str) -> None:
    seeds = corpus.seeds(kind)
    cases = [corpus.case(SEED, kind, index) for index in range(20 * len(seeds))]
    changed = [case for case in cases if case.content != case.file.content]
    assert len(changed) > 0.8 * len(cases)
    assert len({case.content for case in changed}) > 0.8 * len(changed)
