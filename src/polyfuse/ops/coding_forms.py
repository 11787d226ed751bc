"""Which fast form of sparse coding to take.

- `native_coding`: one compiled pass per step over tiles that stay in cache; inference on a CPU;
- `rowsplit_coding`: 1 x 9 convolutions over row-shifted planes in plain PyTorch; inference where the compiled form is
  absent, and training everywhere.

Both equal the literal transcription in `layers/lzsc.py` up to rounding; tests prove it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from polyfuse.ops import native_coding, rowsplit_coding
from polyfuse.ops.precision import Precision
from polyfuse.ops.sparse_coding import CodingForm, CodingStep


def fast_form_for(
    example: Tensor, steps: Sequence[CodingStep] | None, precision: Precision, *, training: bool
) -> CodingForm | None:
    """Return the fastest form for tensors like `example` on this machine, or None where only the literal one fits.

    Args:
        example: A tensor of the kind that will be coded; its device and dtype decide.
        steps: The block as data; None where the block has no such form.
        precision: Wanted arithmetic when there is a choice.
        training: Whether gradients are needed.
    """
    if steps is None:
        return None
    if not training and native_coding.supports(example, steps):
        return native_coding.coding_form(precision)
    return rowsplit_coding.coding_form(training=training, precision=precision)


def code_and_read(form: CodingForm, e: Tensor, steps: Sequence[CodingStep] | None, *reads: nn.Conv2d) -> list[Tensor]:
    """Apply `form` to a block that is known to have steps."""
    assert steps is not None
    return form(e, steps, [read.weight for read in reads])
