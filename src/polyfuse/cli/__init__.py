"""The command line: a table of verbs, each imported when it is called, and one place where errors become exit codes."""

from __future__ import annotations

import difflib
import errno
import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module

import click

from polyfuse._version import __version__
from polyfuse.cli.output import visible
from polyfuse.cli.process import catch_signals, discard_output, interruption, mend_streams, told_interruption
from polyfuse.errors import NO_TORCH, DependencyError, InputError, OutputError, PolyfuseError, UsageError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

VERBS = {
    "fuse": "Fuse one pair of pictures, every pair of two folders, or two clips.",
    "align": "Find how the pictures of two cameras lie on one another.",
    "live": "Fuse two cameras, addresses or clips while they run.",
    "serve": "Answer over HTTP: fuse and score pictures that programs send.",
    "evaluate": "Score fused pictures by the metrics of the field.",
    "compare": "Look at the results of several methods side by side, on a page.",
    "benchmark": "Fuse, score, test and show many methods on many sets.",
    "downstream": "Measure what fused pictures are good for: detection, segmentation, targets.",
    "metrics": "List the metrics, or explain what one rewards.",
    "explain": "Draw how a model came to its result.",
    "models": "List, describe, check and import models.",
    "train": "Train a network by a recipe.",
    "ablate": "Train the rows of a paper's ablation study and compare.",
    "demo": "Draw a scene, fuse it, and write sources and result.",
    "data": "Pack training data, draw invented scenes with ground truth, or print what a file holds.",
    "doctor": "Print versions, kernels, threads, devices and extras.",
}
"""Verb and its line in `polyfuse --help`; the command itself is `polyfuse.cli.VERB.command`."""

# click would fill the lines: after \b it leaves them as they are.
EXAMPLES = """\b
Examples:
  polyfuse fuse infrared.png visible.png -o fused.png
  polyfuse fuse infrared/ visible/ -o fused/
  polyfuse evaluate fused/ infrared/ visible/
"""

# click 8.1 prints the help itself.
_NoArguments: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _Verbs(click.Group):
    """A group that imports a verb only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"polyfuse.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verbs where there is none of that name."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            near = difflib.get_close_matches(name.lower(), VERBS, n=1, cutoff=0.5)
            words = f"did you mean {near[0]}?" if near else f"use {', '.join(VERBS)}."
            raise UsageError(f"there is no command {name!r}: {words}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_Verbs, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="polyfuse")
def cli() -> None:
    """Fuse pictures of one scene taken by different sensors."""


def main() -> None:
    """Run the command line and leave with the exit code that fits."""
    mend_streams()
    catch_signals()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code, with every error told in one line on stderr."""
    try:
        result = cli.main(arguments, prog_name="polyfuse", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except _NoArguments as error:
        click.echo(error.format_message())
        return 0
    except PolyfuseError as error:
        return _tell(str(error), error.exit_code, arguments)
    except click.ClickException as error:
        hint = f" See `{error.ctx.command_path} --help`." if isinstance(error, click.UsageError) and error.ctx else ""
        return _tell(error.format_message() + hint, error.exit_code, arguments)
    except (KeyboardInterrupt, click.Abort) as ending:
        return _tell(*told_interruption(interruption(ending)), arguments)
    except OSError as error:
        discard_output()  # what is still buffered has nowhere to go
        if (cause := interruption(error)) is not None:  # the terminal that it was to be told on is gone
            return _tell(*told_interruption(cause), arguments)
        if isinstance(error, BrokenPipeError):  # who reads the results wants no more
            return 1
        return _tell(*_told(error), arguments)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _tell(NO_TORCH, DependencyError.exit_code, arguments)
    except MemoryError:
        return _tell("out of memory: pass a smaller --memory or --tile.", 1, arguments)


def _told(error: OSError) -> tuple[str, int]:
    """Line and exit code of an error of the operating system that nothing below has put into words.

    Files are written in one place, which puts its errors into words; so what has a name here could not be read.
    """
    if error.filename is None:
        return f"standard output cannot be written ({error.strerror}): free some space.", OutputError.exit_code
    from polyfuse.io.source import shown  # whatever works with files has it already

    name = shown(os.fsdecode(error.filename))
    if error.errno in _NO_SPACE:
        return f"{name} cannot be written ({error.strerror}): free some space.", OutputError.exit_code
    return f"{name} cannot be read ({error.strerror}): check the path.", InputError.exit_code


def _tell(message: str, code: int, arguments: list[str]) -> int:
    """Print one line, or the traceback where `--debug` asks for it."""
    if "--debug" in arguments:
        traceback.print_exc()
    with suppress(OSError):  # the exit code says it too
        click.echo(f"polyfuse: {visible(' '.join(message.split()))}", err=True)
    return code
