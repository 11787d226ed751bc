"""Which fast form is chosen, and what has to be read off each code."""

import pytest
import torch

from polyfuse.ops import native_coding, native_kernels, rowsplit_coding
from polyfuse.ops.coding_forms import fast_form_for
from polyfuse.ops.native_kernels import kernel
from polyfuse.ops.sparse_coding import step_reductions


@pytest.fixture
def native_chosen(monkeypatch):
    """Name of the room that answered the last call of `fast_form_for`."""
    chosen = []
    monkeypatch.setattr(native_coding, "coding_form", lambda precision: chosen.append("native"))
    monkeypatch.setattr(rowsplit_coding, "coding_form", lambda training, precision: chosen.append("row split"))
    monkeypatch.setattr(native_coding, "instruction_set", lambda precision: "portable")
    return chosen


def test_inference_on_a_cpu_takes_the_compiled_form(native_chosen, make_steps, planes) -> None:
    fast_form_for(planes(1, 1, 3, 3), make_steps(1)[0], "float32", training=False)
    assert native_chosen == ["native"]


def test_training_takes_the_row_split(native_chosen, make_steps, planes) -> None:
    fast_form_for(planes(1, 1, 3, 3), make_steps(1)[0], "float32", training=True)
    assert native_chosen == ["row split"]


def test_float64_takes_the_row_split(native_chosen, make_steps, planes) -> None:
    fast_form_for(planes(1, 1, 3, 3).double(), make_steps(1)[0], "float32", training=False)
    assert native_chosen == ["row split"]


def test_a_build_without_kernel_takes_the_row_split(native_chosen, make_steps, planes, monkeypatch) -> None:
    monkeypatch.setattr(native_coding, "instruction_set", lambda precision: None)
    fast_form_for(planes(1, 1, 3, 3), make_steps(1)[0], "float32", training=False)
    assert native_chosen == ["row split"]


def test_a_block_without_steps_has_no_fast_form(planes) -> None:
    assert fast_form_for(planes(1, 1, 3, 3), None, "float32", training=False) is None


def test_each_code_is_read_for_the_two_steps_after_it(make_steps) -> None:
    steps, reads = make_steps(1)
    assert step_reductions(steps, 1, reads) == [steps[2].down, steps[3].down_prev]


def test_the_code_before_the_last_is_read_once(make_steps) -> None:
    steps, reads = make_steps(1)
    assert step_reductions(steps, 3, reads) == [steps[4].down]


def test_the_last_code_is_read_by_the_read_outs(make_steps) -> None:
    steps, reads = make_steps(1)
    assert all(found is read for found, read in zip(step_reductions(steps, 4, reads), reads, strict=True))


def test_missing_compiler_is_no_error(monkeypatch) -> None:
    monkeypatch.setattr(native_kernels, "kernel", lambda name: None)
    assert native_kernels.instruction_set.__wrapped__("lzsc", native_coding.FLOAT32_SETS) is None


def test_unknown_instruction_set_is_not_supported() -> None:
    module = kernel("lzsc")
    if module is None:
        pytest.skip("built without the compiled kernel")
    assert not module.supports("sse17")


def test_processor_has_the_portable_form() -> None:
    module = kernel("lzsc")
    if module is None:
        pytest.skip("built without the compiled kernel")
    assert module.supports("portable")


def test_soft_threshold_is_left_to_the_row_split(make_steps) -> None:
    steps, _ = make_steps(1)
    soft = [type(step)(**{**vars(step), "threshold": "soft"}) for step in steps]
    assert not native_coding.supports(torch.zeros(1, 1, 3, 3), soft)
