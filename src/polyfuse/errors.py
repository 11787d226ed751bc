"""Every error polyfuse raises on purpose, each with the exit code the command line answers with.

A message is one line: what happened, a colon, what to do. Anything else that escapes is a bug.
"""

from collections.abc import Iterator
from contextlib import contextmanager

NO_TORCH = (
    "this needs PyTorch, which is not installed: install polyfuse in place of polyfuse-runtime, or fuse pictures or "
    "clips with an exported model, --model FILE.onnx."
)


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C's asked the process to end; it ends in the same order, with exit code 128 + number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        """Of the signal."""


class PolyfuseError(Exception):
    """Base of all errors polyfuse raises on purpose."""

    exit_code = 1


class PartialError(PolyfuseError):
    """Some items failed; the others are complete and the failures are listed."""

    exit_code = 1


class TrainingError(PolyfuseError):
    """Training cannot go on: a loss or a gradient is not finite."""

    exit_code = 1


class UsageError(PolyfuseError):
    """A wrong option, an unknown model or a setting that does not fit."""

    exit_code = 2


class InputError(PolyfuseError):
    """A file or array is missing, unreadable, or of the wrong size, type or range."""

    exit_code = 3


class DependencyError(PolyfuseError):
    """An optional package is needed; the message names the extra that brings it, of the distribution that is there."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        # "polyfuse[video]" would bring polyfuse into the folder that polyfuse-runtime fills
        super().__init__(message.replace("polyfuse[", "polyfuse-runtime[") if _is_runtime() else message)


def _is_runtime() -> bool:
    """Whether `polyfuse-runtime` is installed and `polyfuse` is not; building it leaves its name in a checkout."""
    from importlib.metadata import distributions  # slow to import, and seldom needed

    return {one.name for one in distributions()} & {"polyfuse", "polyfuse-runtime"} == {"polyfuse-runtime"}


@contextmanager
def needing_torch() -> Iterator[None]:
    """Around imports: say that PyTorch is missing where that is why they fail.

    Raises:
        DependencyError: If so.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise DependencyError(NO_TORCH) from error


class OutputError(PolyfuseError):
    """A result cannot be written: no permission, no space, or it would overwrite something."""

    exit_code = 5
