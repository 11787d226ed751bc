"""What every test may rely on: threads under control, reproducible random input, the reference folder."""

import os
import sys
from pathlib import Path

# Before anything imports torch or numpy. Workers of pytest-xdist share the cores, so each takes one thread. They
# inherit the environment of the process that starts them, so that one must not choose for them.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[_variable] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]

# Derandomised: the same commit sees the same examples everywhere. No deadline: the cores are shared.
settings.register_profile(
    "polyfuse", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("polyfuse")


@pytest.fixture(autouse=True)
def same_random_numbers_in_any_order() -> None:
    """Tests that draw from torch's own generator draw the same, whichever tests ran before in the same worker."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(20240817)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that holds these tests."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The reference folder beside the checkout. Absent: skip, or fail where POLYFUSE_REQUIRE_SHARED=1 promises it."""
    path = REPOSITORY.parent / "shared"
    if not path.is_dir():
        reason = "the reference folder ../shared is not beside this checkout"
        if os.environ.get("POLYFUSE_REQUIRE_SHARED") == "1":
            pytest.fail(f"{reason}, and POLYFUSE_REQUIRE_SHARED=1 says that it must be")
        pytest.skip(reason)
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed, new for each test."""
    return np.random.default_rng(20240817)
