"""The corpus, made once for all tests of a process."""

import os
import sys
from collections.abc import Iterator

import pytest
import torch

pytest.importorskip("av", reason="the corpus has clips, which need PyAV")
pytest.importorskip("cv2", reason="the corpus has 16-bit colour PNGs, which need OpenCV")
pytest.importorskip("imagecodecs", reason="the corpus has TIFFs of every codec, which need imagecodecs")
if sys.platform == "win32":
    pytest.skip("the guards need signals and limits of POSIX systems", allow_module_level=True)

from tests.fuzz.engine.running import Corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Tiny files of every kind, with all that readers need beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    before = os.getcwd()
    yield Corpus(tmp_path_factory.mktemp("fuzz"))
    os.chdir(before)
    torch.set_num_threads(threads)
