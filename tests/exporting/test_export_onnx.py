"""Every model becomes one ONNX file that agrees with PyTorch on sizes that it was not written with."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import polyfuse
from polyfuse import registry
from polyfuse.engines import load_exported
from polyfuse.engines.onnx_file import read_onnx
from polyfuse.engines.sessions import open_session
from polyfuse.errors import OutputError, UsageError
from polyfuse.exporting import export_onnx
from polyfuse.exporting import onnx as exporting
from polyfuse.families.pyrfuse import PyrFuse, PyrFuseConfig
from polyfuse.ops import pyramid

QUICK = ["average", "laplacian", "fnet-t16.road"]
REFUSED = {
    "lp-sr": "cannot be written as ONNX",  # its codes are pursued patch by patch
    "mdlatlrr": "cannot be written as ONNX",  # no operator gives singular values
    "hmsd-gf": "differs from PyTorch by",  # its windows follow the size of small pictures
}
OTHERS = [
    entry.name for entry in registry.list_models() if not entry.needs_weights and entry.name not in {*QUICK, *REFUSED}
]


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_one_file_that_both_engines_read_alike(name: str, tmp_path: Path) -> None:
    made = export_onnx(registry.load(name), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert all(worst <= 1e-4 for worst in made.off.values())
    _, facts = read_onnx(made.path)
    assert facts.opset == made.opset == 18
    model = load_exported(made.path)
    assert model.spec.family == registry.load(name).spec.family
    assert model.provenance == registry.load(name).provenance
    # a size that is neither the one that the operators were recorded with nor one that the export looked at
    a, b = np.random.default_rng(3).random((2, 57, 141), np.float32)
    with torch.inference_mode():
        wanted = registry.load(name)(*(torch.from_numpy(plane)[None, None] for plane in (a, b)))[0, 0]
    np.testing.assert_allclose(model.run(a, b), wanted.numpy(), rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_graph_for_all_sizes_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises((UsageError, OutputError), match=REFUSED[name]):
        export_onnx(registry.load(name), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_cannot_be_written_is_told_in_one_line_alone(capfd: pytest.CaptureFixture[str]) -> None:
    class Kronecker(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.kron(a, b)

    with pytest.raises(UsageError, match="model k cannot be written as ONNX"):
        exporting._recorded(Kronecker(), "k", with_colour=False)
    assert capfd.readouterr() == ("", "")


def test_a_name_that_fuse_would_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"model\.bin does not end in \.onnx"):
        export_onnx(registry.load("average"), tmp_path / "model.bin")
    assert list(tmp_path.iterdir()) == []


def test_halves_are_smaller_and_nearly_the_same(tmp_path: Path) -> None:
    model = registry.load("fnet-t16.road")
    single, half = (export_onnx(model, tmp_path / f"{kind}.onnx", precision=kind) for kind in ("float32", "float16"))
    assert half.num_bytes < single.num_bytes
    assert half.description.precision == "float16"
    assert 1e-6 < max(half.off.values()) < 0.01
    kinds = {tensor.data_type for tensor in onnx.load(half.path).graph.initializer if len(tensor.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("name", ["laplacian", pytest.param("smfnet-s.road", marks=pytest.mark.slow)])
def test_with_colour_is_what_fuse_gives(name: str, tmp_path: Path) -> None:
    made = export_onnx(registry.load(name), tmp_path / "model.onnx", with_colour=True)
    draw = np.random.default_rng(8)
    a, b = draw.integers(0, 256, (41, 63), np.uint8), draw.integers(0, 256, (41, 63, 3), np.uint8)
    session = open_session(made.path.read_bytes(), "model", "onnx", threads=1, precision="float32")
    given = session.run({"a": a[None, ..., None], "b": b[None]})
    wanted = polyfuse.fuse(a, b, model=name).image
    assert given.shape == (1, 41, 63, 3)
    assert np.abs(given[0].astype(int) - wanted.astype(int)).max() <= 1
    with pytest.raises(UsageError, match="takes 8-bit pictures, for programs of your own"):
        load_exported(made.path)


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("mine")
    with pytest.raises(OutputError, match="pass --overwrite to replace it"):
        export_onnx(registry.load("average"), path)
    assert path.read_text() == "mine"


def test_what_is_within_the_models_own_rounding_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = PyrFuse(PyrFuseConfig(levels=3, channels=4, context=2, looks=1)).eval().requires_grad_(False)
    monkeypatch.setattr(exporting, "MOST_OFF", 1e-9)
    monkeypatch.setattr(exporting, "ROUNDINGS", 100)  # a fresh network rounds little, and one engine more than another
    made = export_onnx(model, tmp_path / "model.onnx")
    assert 1e-9 < max(made.off.values()) < 1e-3
    monkeypatch.setattr(exporting, "ROUNDINGS", 1e-3)
    with pytest.raises(OutputError, match="nothing is written"):
        export_onnx(model, tmp_path / "other.onnx")


def test_a_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "MOST_OFF", -1.0)
    monkeypatch.setattr(exporting, "ROUNDINGS", 0)
    with pytest.raises(OutputError, match="differs from PyTorch by 0, more than -1: nothing is written"):
        export_onnx(registry.load("average"), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (16, 17), (31, 64)])
def test_recorded_filters_are_those_of_the_pyramid(size: tuple[int, int]) -> None:
    from polyfuse.ops import recorded_pyramid

    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(recorded_pyramid.blur(x), pyramid.blur(x), rtol=0, atol=1e-6)
    small = pyramid.shrink(x)
    torch.testing.assert_close(recorded_pyramid.shrink(x), small, rtol=0, atol=1e-6)
    doubled = pyramid.expand(small, x.shape)
    torch.testing.assert_close(recorded_pyramid.expand(small, x.shape), doubled, rtol=0, atol=1e-6)
