"""Arrays and tensors of every kind: each is read rightly, where it has one meaning, or refused in one line."""

import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from polyfuse import Result, evaluate, fuse
from polyfuse.errors import InputError
from polyfuse.io import read_picture
from polyfuse.metrics import METRICS, UndefinedMetricWarning, mi, sd

Writer = Callable[[str, NDArray[Any]], Path]

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 10
COLOUR = np.stack((GREY, GREY + 5, 255 - GREY), axis=2)
UNIT = GREY.astype(np.float32) / 255
ALPHA = np.dstack((COLOUR, GREY))


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def quantised() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to drop them
        return torch.quantize_per_tensor(torch.from_numpy(UNIT), 1 / 255, 0, torch.quint8)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    array = array.copy()
    array.flags.writeable = False
    return array


READ: dict[str, tuple[Any, NDArray[Any]]] = {
    "bool": (GREY > 90, (GREY > 90) * np.uint8(255)),
    "big-endian uint16": ((GREY.astype(np.uint16) * 257).astype(">u2"), GREY.astype(np.uint16) * 257),
    "big-endian float32": (UNIT.astype(">f4"), UNIT),
    "float16": (UNIT.astype(np.float16), UNIT.astype(np.float16).astype(np.float32)),
    "float64": (UNIT.astype(np.float64), UNIT),
    "long double": (UNIT.astype(np.longdouble), UNIT),
    "one channel": (GREY[..., None], GREY),
    "alpha": (ALPHA, COLOUR),
    "nothing masked": (np.ma.masked_array(GREY, mask=False), GREY),
    "Fortran order": (np.asfortranarray(COLOUR), COLOUR),
    "negative strides": (GREY[::-1, ::-1], GREY[::-1, ::-1].copy()),
    "not contiguous": (np.repeat(np.repeat(GREY, 2, 0), 3, 1)[::2, ::3], GREY),
    "read-only": (read_only(GREY), GREY),
    "broadcast": (np.broadcast_to(GREY[:1], (4, 5)), np.repeat(GREY[:1], 4, 0)),
    "result": (Result(COLOUR, {}), COLOUR),
    "Pillow grey": (Image.fromarray(GREY), GREY),
    "Pillow with alpha": (Image.fromarray(ALPHA), COLOUR),
    "Pillow 16 bits": (Image.fromarray(GREY.astype(np.uint16) * 257), GREY.astype(np.uint16) * 257),
    "bool tensor": (torch.from_numpy(GREY > 90), (GREY > 90) * np.uint8(255)),
    "half tensor": (torch.from_numpy(UNIT).half(), UNIT.astype(np.float16).astype(np.float32)),
    "tensor with gradient": (torch.from_numpy(UNIT).requires_grad_(), UNIT),
    "tensor of strides": (torch.from_numpy(COLOUR).permute(2, 0, 1), COLOUR),
    "negated tensor": (torch.complex(torch.from_numpy(UNIT), torch.from_numpy(-UNIT)).conj().imag, UNIT),
}
"""A source, and the array that means the same."""


class Broken:
    """NumPy asks it for an array, which fails in two lines."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise RuntimeError("out of\nreach")


REFUSED: dict[str, Any] = {
    **{
        str(np.dtype(kind)): np.zeros((4, 5), kind)
        for kind in ("int8", "int16", "int32", "int64", "uint32", "uint64", "complex64", "O", "U3", "M8[s]", "V4")
    },
    "structured": np.zeros((4, 5), [("red", "u1"), ("green", "u1")]),
    "masked": np.ma.masked_less(GREY, 50),
    **{
        str(shape): np.zeros(shape, np.uint8)
        for shape in ((0, 5), (5, 0), (1,), (), (2, 2, 2, 2), (4, 5, 2), (4, 5, 5), (0, 5, 3), (4, 5, 0))
    },
    "NaN": np.where(GREY > 90, np.nan, UNIT),
    "infinity": np.where(GREY > 90, np.inf, UNIT),
    "beyond float32": np.full((4, 5), 1e300),
    "beyond white": UNIT * 255,
    "list": GREY.tolist(),
    "number": 3,
    "int64 tensor": torch.from_numpy(GREY).long(),
    "complex tensor": torch.from_numpy(UNIT) * 1j,
    "object without its array": Broken(),
    **{str(kind): torch.zeros((4, 5), dtype=kind) for kind in (torch.int8, torch.int16, torch.uint32)},
    "bits": torch.empty((4, 5), dtype=torch.bits8),
    "nested tensor": torch.nested.nested_tensor([torch.zeros(4, 5), torch.zeros(3, 5)], layout=torch.jagged),
    "meta tensor": torch.zeros((4, 5), device="meta"),
    "sparse tensor": torch.from_numpy(UNIT).to_sparse(),
    "mkldnn tensor": torch.from_numpy(UNIT).to_mkldnn(),
    "quantised tensor": quantised(),
    "no pixels": torch.zeros((3, 0, 5)),
    "text file": io.StringIO("P5"),
    "text": b"P5 nothing",
    "nothing": b"",
    "Pillow of 32-bit integers": Image.fromarray(GREY.astype(np.int32)),
    "Pillow without pixels": Image.new("L", (0, 5)),
}


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert ": " in text
    return text


@pytest.mark.parametrize("kind", READ)
def test_fuse_reads_a_source_of_one_meaning(kind: str) -> None:
    source, same = READ[kind]
    options = {"model": "average", "range": "full"}
    result, expected = fuse(source, source, **options), fuse(same, same, **options)  # type: ignore[arg-type]
    assert result.image.dtype == same.dtype
    np.testing.assert_array_equal(result.image, expected.image)


@pytest.mark.parametrize("kind", READ)
def test_evaluate_reads_a_source_of_one_meaning(kind: str) -> None:
    source, same = READ[kind]
    metrics = ["EN", "SD", "SF"]
    assert evaluate(source, source, source, metrics=metrics) == evaluate(same, same, same, metrics=metrics)


@pytest.mark.parametrize("place", ["a", "b"])
@pytest.mark.parametrize("kind", REFUSED)
def test_fuse_refuses_what_has_no_one_meaning(kind: str, place: str) -> None:
    sources = {"a": GREY, "b": GREY, place: REFUSED[kind]}
    with pytest.raises(InputError) as error:
        fuse(**sources, model="average", range="full", range_b="full")
    assert one_line(error).startswith(f"{place} ")


@pytest.mark.parametrize("place", ["fused", "a", "b"])
@pytest.mark.parametrize("kind", REFUSED)
def test_evaluate_refuses_what_has_no_one_meaning(kind: str, place: str) -> None:
    sources = {"fused": GREY, "a": GREY, "b": GREY, place: REFUSED[kind]}
    with pytest.raises(InputError) as error:
        evaluate(**sources, metrics=["EN", "MI"])
    assert one_line(error).startswith(f"{place} ")


TENSORS = {kind: source for kind, source in REFUSED.items() if isinstance(source, torch.Tensor)}


@pytest.mark.parametrize("kind", TENSORS)
def test_metric_refuses_a_tensor_that_is_no_picture(kind: str) -> None:
    with pytest.raises(InputError) as error:
        sd(TENSORS[kind])
    assert one_line(error).startswith("fused ")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_refuses_an_array_by_saying_what_it_takes(name: str) -> None:
    with pytest.raises(InputError, match="give a tensor"):
        METRICS[name](GREY, GREY, GREY, protocol=next(iter(METRICS[name].variants)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_takes_gradients_strides_and_short_types_without_a_warning(name: str) -> None:
    if package := METRICS[name].package:
        pytest.importorskip(package)
    metric = partial(METRICS[name], protocol=next(iter(METRICS[name].variants)))
    odd = torch.rand(1, 1, 50, 40, generator=torch.Generator().manual_seed(3)).half().mT.requires_grad_()
    plain = odd.detach().float().contiguous()
    warnings.simplefilter("ignore", UndefinedMetricWarning)
    torch.testing.assert_close(metric(odd, odd, odd), metric(plain, plain, plain), equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.bool, torch.float16, torch.bfloat16])
def test_metric_takes_a_short_type_as_its_values_in_float32(dtype: torch.dtype) -> None:
    short = (torch.from_numpy(UNIT) > 0.4).to(dtype)[None, None]
    assert mi(short, short, short).item() == mi(*[short.float()] * 3).item()


def test_metric_of_a_tensor_with_gradient_is_a_number_without() -> None:
    tensor = torch.from_numpy(UNIT)[None, None].requires_grad_()
    assert not mi(tensor, tensor, tensor).requires_grad


def test_integers_with_a_sign_are_taken_with_a_range() -> None:
    hounsfield = np.array([[-1024, 0], [1000, 3071]], np.int16)
    result = fuse(hounsfield, hounsfield, model="average", range="-1024,3071", range_b="-1024,3071")
    # [0, 1] in float32 between: a step of 6e-8 of a window of 4095
    np.testing.assert_allclose(result.image, hounsfield.astype(np.float32), rtol=0, atol=4095 * 6e-8)
    assert result.record["sources"]["a"]["notes"] == ["int16 values read as 32-bit floats"]


@pytest.mark.parametrize(("place", "option"), [("a", "range="), ("b", "range_b=")])
def test_integers_with_a_sign_name_the_option_they_need(place: str, option: str) -> None:
    sources: dict[str, Any] = {"a": GREY, "b": GREY, place: GREY.astype(np.int16)}
    with pytest.raises(InputError, match=f"{place} holds int16 values.*{option}'LO,HI'"):
        fuse(**sources, model="average")


def test_dropped_alpha_is_on_record() -> None:
    assert fuse(GREY, ALPHA, model="average").record["sources"]["b"]["notes"] == ["alpha channel ignored"]


@pytest.mark.parametrize("name", ["b.png", "b.tif", "b.jpg", "deep.png"])
def test_content_of_a_file_is_read_as_the_file(on_disk: Writer, name: str) -> None:
    if name == "deep.png":
        pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    path = on_disk(name, COLOUR.astype(np.uint16) * 257 if name == "deep.png" else COLOUR)
    of_path = fuse(GREY, path, model="maximum")
    for source in (path.read_bytes(), bytearray(path.read_bytes()), io.BytesIO(path.read_bytes()), path.open("rb")):
        result = fuse(GREY, source, model="maximum")  # type: ignore[arg-type]
        np.testing.assert_array_equal(result.image, of_path.image)
        assert result.record["sources"]["b"]["sha256"] == of_path.record["sources"]["b"]["sha256"]
        if hasattr(source, "close"):
            source.close()


def test_file_object_that_is_closed_is_an_input_error(on_disk: Writer) -> None:
    with on_disk("a.png", GREY).open("rb") as file:
        pass
    with pytest.raises(InputError, match="file object that cannot be read"):
        fuse(file, GREY, model="average")


def test_picture_of_pillow_is_turned_upright_as_its_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        expected = read_picture(tmp_path / "turned.png").array
        np.testing.assert_array_equal(fuse(image, image, model="average").image, expected)


def test_picture_of_pillow_obeys_the_limit_of_pixels() -> None:
    with pytest.raises(InputError, match="raise max_pixels"):
        fuse(Image.new("L", (40, 40)), GREY, model="average", max_pixels=1000)


def test_batch_is_sent_to_the_function_for_batches() -> None:
    with pytest.raises(InputError, match="batch of 2 pictures: pass batches to"):
        fuse(torch.zeros(2, 1, 4, 5), GREY, model="average")
