"""`fuse` of radiometric files and `data inspect`: one file in, a fused picture out, with temperatures and EXIF."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from polyfuse.io import read_picture, write_picture
from polyfuse.radiometric import read_thermal

Make = Callable[..., Path]
Run = Callable[..., tuple[int, list[str], list[str]]]


def exif_of() -> bytes:
    """An EXIF block with time, position, a maker's note, and a picture that lies on its side."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 3, "FLIR Systems AB\0", "*"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0x927C: b"secret" * 100})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 1.5)})
    exif[0x8769], exif[0x8825] = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    return exif.tobytes()


def sidecar_of(path: Path) -> dict[str, Any]:
    """The record beside a result."""
    record: dict[str, Any] = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    return record


def test_one_file_becomes_a_fused_picture(make_flir: Make, run: Run, tmp_path: Path) -> None:
    make_flir()
    code, out, err = run("fuse", "FLIR.jpg", "-o", "fused.png", "--model", "average")
    assert (code, out) == (0, ["fused.png"])
    assert "degrees Celsius are black and white: --range takes others" in err[0]
    assert read_picture(tmp_path / "fused.png").array.shape == (60, 80, 3)
    record = sidecar_of(tmp_path / "fused.png")
    assert record["thermal"]["unit"] == "degrees Celsius"
    assert record["thermal"]["calibration"]["emissivity"] == pytest.approx(0.95)
    assert record["warp"]["details"] == {"Real2IR": 1.5, "OffsetX": 2, "OffsetY": -1}
    assert record["sources"]["a"]["path"] == record["sources"]["b"]["path"] == "FLIR.jpg"


def test_temperatures_lie_beside_the_result_at_its_size(make_flir: Make, run: Run, tmp_path: Path) -> None:
    kelvin = read_thermal(make_flir()).kelvin
    assert kelvin is not None
    code, out, _ = run("fuse", "FLIR.jpg", "-o", "a.png", "--model", "average", "--frame", "a", "--keep-temperature")
    assert (code, out) == (0, ["a.png", "a_celsius.tif"])
    celsius = tifffile.imread(tmp_path / "a_celsius.tif")
    assert celsius.dtype == np.float32
    assert (celsius == kelvin - np.float32(273.15)).all()
    run("fuse", "FLIR.jpg", "-o", "b.png", "--model", "average", "--keep-temperature")
    finer = tifffile.imread(tmp_path / "b_celsius.tif")
    assert finer.shape == (60, 80)
    assert finer.max() == pytest.approx(celsius.max(), abs=0.1)


def test_temperatures_of_pixels_that_were_not_seen_are_no_numbers(make_flir: Make, run: Run, tmp_path: Path) -> None:
    make_flir()
    run("data", "inspect", "FLIR.jpg", "-o", "parts")
    words = ("--warp", "parts/warp.json", "--keep-temperature", "--model", "average")
    assert run("fuse", "FLIR.jpg", "parts/visible.png", "-o", "wide.png", *words)[0] == 0
    celsius = tifffile.imread(tmp_path / "wide_celsius.tif")
    assert celsius.shape == (90, 120)
    assert np.isfinite(celsius).mean() == pytest.approx(80 * 60 / (120 * 90), abs=0.02)


def test_range_in_degrees_is_black_and_white(make_flir: Make, run: Run, tmp_path: Path) -> None:
    make_flir()
    assert run("fuse", "FLIR.jpg", "-o", "fused.png", "--model", "average", "--range", "30C,60C")[0] == 0
    record = sidecar_of(tmp_path / "fused.png")
    assert record["thermal"]["window"] == pytest.approx([30, 60], abs=0.01)
    assert record["range"]["a"]["low"] == pytest.approx(30315)
    assert record["settings"]["options"]["range"] == "30C,60C"


def test_degrees_without_a_unit_are_refused_and_those_of_another_scene_told(make_flir: Make, run: Run) -> None:
    make_flir()
    code, out, err = run("fuse", "FLIR.jpg", "-o", "fused.png", "--model", "average", "--range", "10,40")
    assert (code, out, "name a unit, as 10C,40C" in err[-1]) == (3, [], True)
    code, _, err = run("fuse", "FLIR.jpg", "-o", "fused.png", "--model", "average", "--range", "900C,990C")
    assert code == 0
    assert any("100 % of a lies below --range and shows nothing" in line for line in err)


def test_time_and_place_go_into_the_result_and_makers_notes_do_not(make_flir: Make, run: Run, tmp_path: Path) -> None:
    make_flir(exif=exif_of())
    for name in ("fused.png", "fused.jpg", "fused.webp", "fused.tif"):
        assert run("fuse", "FLIR.jpg", "-o", name, "--model", "average")[0] == 0
        with Image.open(tmp_path / name) as image:
            exif = image.getexif()
            assert (exif[0x0112], exif[0x010F]) == (1, "FLIR Systems AB")
            assert 0x0110 not in exif
            assert dict(exif.get_ifd(0x8769)) == {0x9003: "2020:01:02 03:04:05"}
            assert exif.get_ifd(0x8825)[2] == (47.0, 22.0, 1.5)


def test_time_and_place_go_into_colour_of_16_bits(make_flir: Make, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    make_flir(exif=exif_of())
    assert run("fuse", "FLIR.jpg", "-o", "deep.png", "--model", "average", "--bit-depth", "same")[0] == 0
    assert read_picture(tmp_path / "deep.png").array.dtype == np.uint16
    with Image.open(tmp_path / "deep.png") as image:
        assert image.getexif().get_ifd(0x8825)[1] == "N"


def test_folder_of_radiometric_files_is_fused_and_resumed(make_flir: Make, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_flir("in/1.jpg")
    make_flir("in/2.jpg", pip=(1.4, 0, 0))
    words = ("fuse", "in", "-o", "out", "--radiometric", "--model", "average", "--json")
    states = [
        [result["state"] for result in json.loads("\n".join(run(*words, *more)[1]))["results"]]
        for more in ((), ("--resume",), ("--resume", "--keep-temperature"))
    ]
    assert states == [["fused", "fused"], ["kept", "kept"], ["fused", "fused"]]
    assert (tmp_path / "out" / "2_celsius.tif").is_file()


def test_raw_counts_beside_a_visible_picture_are_fused(make_dji: Make, run: Run, tmp_path: Path) -> None:
    counts = np.random.default_rng(1).integers(18000, 19000, (512, 640)).astype(np.uint16)
    make_dji(counts)
    write_picture(tmp_path / "visible.png", np.full((512, 640, 3), 90, np.uint8))
    words = ("fuse", "DJI_R.JPG", "visible.png", "--radiometric", "--model", "average", "-o", "fused.png")
    assert run(*words)[0] == 0
    record = sidecar_of(tmp_path / "fused.png")
    assert (record["thermal"]["unit"], record["thermal"]["raw"]) == ("counts", [18000, 18999])
    for more, match in ((("--keep-temperature",), "no temperatures"), (("--range", "10C,20C"), "no temperatures")):
        code, _, err = run(*words, "--overwrite", *more)
        assert (code, match in err[-1]) == (3, True)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"without": (0x0E,)}, "holds no visible picture: give one as the second file"),
        ({"pip": None}, "does not say how its two pictures lie on one another: pass --warp"),
        ({"pip": (0.0, 0, 0)}, "does not say how"),
        ({"pip": (1.5, 130, 0)}, "nothing in common"),
        ({"without": (0x01,)}, "without a raw plane"),
        ({"constants": {0x58: -1.0}}, "absurd"),
    ],
)
def test_file_that_cannot_be_fused_leaves_nothing(
    make_flir: Make, run: Run, tmp_path: Path, how: dict[str, Any], match: str
) -> None:
    make_flir(**how)
    code, out, err = run("fuse", "FLIR.jpg", "-o", "out/fused.png", "--model", "average", "--keep-temperature")
    assert (code, out, len(err)) == (3, [], 1)
    assert match in err[0]
    assert [path.name for path in tmp_path.iterdir()] == ["FLIR.jpg"]


def test_plain_jpeg_alone_is_told_what_it_lacks(run: Run, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "plain.jpg")
    code, _, err = run("fuse", "plain.jpg")
    assert (code, "has no partner and is no radiometric JPEG" in err[-1]) == (3, True)


def test_what_a_folder_holds_decides_over_the_advice(make_flir: Make, run: Run, tmp_path: Path) -> None:
    for name in ("flir", "volumes", "pictures"):
        (tmp_path / name).mkdir()
    make_flir("flir/x.jpg")
    (tmp_path / "volumes" / "x_CT.nii.gz").touch()
    Image.new("L", (9, 9)).save(tmp_path / "pictures" / "x_ir.jpg")
    for name, advice in (("flir", "pass --radiometric"), ("volumes", "pass --pair,"), ("pictures", "pass --pair-by,")):
        code, _, err = run("fuse", name, "-o", "out/")
        assert (code, advice in err[-1]) == (2, True), err


@pytest.mark.parametrize("name", ["visible.jpg", "visible.png"])
def test_the_visible_picture_first_is_told(make_flir: Make, run: Run, tmp_path: Path, name: str) -> None:
    make_flir()
    Image.new("RGB", (40, 30), (9, 99, 199)).save(tmp_path / name)
    code, _, err = run("fuse", name, "FLIR.jpg", "-o", "fused.png", "--radiometric")
    assert (code, err[-1]) == (
        3,
        f"polyfuse: FLIR.jpg is a thermal camera's own file and {name} is none: pass it first",
    )


def test_the_palette_picture_of_a_radiometric_file_is_told(make_flir: Make, run: Run, tmp_path: Path) -> None:
    hues = np.linspace(0, 255, 160, dtype=np.uint8)
    palette = np.stack(
        [np.tile(hues, (120, 1)), np.full((120, 160), 20, np.uint8), 255 - np.tile(hues, (120, 1))], axis=2
    )
    make_flir("FLIR.jpg", shown=palette)
    Image.fromarray(palette).save(tmp_path / "plain.jpg", quality=95)
    Image.new("RGB", (160, 120), (90, 99, 120)).save(tmp_path / "visible.png")
    notes = {
        name: "\n".join(run("fuse", name, "visible.png", "-o", f"{name}.png", "--model", "average")[2])
        for name in ("FLIR.jpg", "plain.jpg")
    }
    assert "--radiometric takes what was measured" in notes["FLIR.jpg"]
    assert "export a grey one" in notes["plain.jpg"]
    assert "--radiometric" not in notes["plain.jpg"]


def test_options_that_files_cannot_honour_are_refused(make_flir: Make, run: Run) -> None:
    make_flir()
    assert run("fuse", "FLIR.jpg", "--range", "60C,30C")[0] == 2
    assert run("fuse", "a.mp4", "b.mp4", "--radiometric")[0] == 2
    assert run("explain", "FLIR.jpg", "FLIR.jpg", "--range", "30C,60C")[0] == 2


def test_existing_temperatures_are_kept(make_flir: Make, run: Run, tmp_path: Path) -> None:
    make_flir()
    (tmp_path / "fused_celsius.tif").write_text("mine")
    code, _, err = run("fuse", "FLIR.jpg", "-o", "fused.png", "--keep-temperature")
    assert (code, "fused_celsius.tif" in err[-1]) == (5, True)
    assert not (tmp_path / "fused.png").exists()


def test_inspect_tells_and_writes_what_a_file_holds(
    make_flir: Make, run: Run, tmp_path: Path, raw: NDArray[Any], seen: NDArray[Any]
) -> None:
    make_flir(exif=None)
    code, out, _ = run("data", "inspect", "FLIR.jpg")
    text = "\n".join(out)
    assert code == 0
    for words in ("40x30, FLIR layout, degrees Celsius", "emissivity 0.95", "--range ", "120x90", "picture in picture"):
        assert words in text
    code, out, _ = run("data", "inspect", "FLIR.jpg", "--json", "-o", "parts")
    assert json.loads("\n".join(out))["files"] == [
        str(Path("parts", name)) for name in ("raw.tif", "celsius.tif", "visible.png", "warp.json")
    ]
    assert (read_picture(tmp_path / "parts" / "raw.tif").array == raw).all()
    assert run("data", "inspect", "FLIR.jpg", "-o", "parts")[0] == 5


def test_inspect_tells_of_counts_behind_a_picture_that_is_cut_short(make_dji: Make, run: Run) -> None:
    path = make_dji(np.arange(640 * 512, dtype=np.uint16).reshape(512, 640))
    path.write_bytes(path.read_bytes()[:-100])
    code, out, _ = run("data", "inspect", path)
    text = "\n".join(out)
    assert code == 0
    assert "640x512, DJI layout, counts" in text
    assert "truncated" in text
    assert run("data", "inspect", path, "-o", "parts")[0] == 0


def test_inspect_tells_of_a_window_before_the_camera(make_flir: Make, run: Run) -> None:
    make_flir(constants={0x34: 0.98})
    assert "letting 98 % through" in "\n".join(run("data", "inspect", "FLIR.jpg")[1])


def test_inspect_proposes_a_window_for_counts_of_14_bits(run: Run, tmp_path: Path) -> None:
    counts = np.arange(7000, 7000 + 400, dtype=np.uint16).reshape(20, 20)
    write_picture(tmp_path / "counts.tif", counts)
    text = "\n".join(run("data", "inspect", "counts.tif")[1])
    assert "13 of 16 bits used" in text
    assert "--range 7001,7398" in text


@pytest.mark.parametrize("name", ["FLIR_T640", "FLIR", "FLIR_B60", "FLIR_AX8"])
def test_files_of_real_cameras_are_fused(shared_dir: Path, run: Run, tmp_path: Path, name: str) -> None:
    path = shared_dir / "data" / "radiometric" / "flir" / f"{name}.jpg"
    if not path.is_file():
        pytest.skip("the reference folder has no radiometric files")
    assert run("fuse", path, "-o", "fused.png", "--model", "average")[0] == 0
    record = sidecar_of(tmp_path / "fused.png")
    assert record["warp"]["covered"] == 1
    assert read_picture(tmp_path / "fused.png").array.ndim == 3


def test_recordings_of_real_cameras_are_told(shared_dir: Path, run: Run) -> None:
    pytest.importorskip("imagecodecs")
    path = shared_dir / "data" / "radiometric" / "flir" / "SampleCSQ.csq"
    if not path.is_file():
        pytest.skip("the reference folder has no radiometric files")
    code, out, _ = run("data", "inspect", path)
    assert code == 0
    assert "7 frames of 1024x768, degrees Celsius" in "\n".join(out)


def test_time_and_place_in_a_tiff_leave_its_pixels_as_they_are(make_flir: Make, run: Run, tmp_path: Path) -> None:
    make_flir(exif=exif_of())
    for name in ("fused.png", "fused.tif", "grey.tif", "fused.bmp"):
        words = ("--grey",) if name == "grey.tif" else ()
        assert run("fuse", "FLIR.jpg", "-o", name, "--model", "average", "--bit-depth", "8", *words)[0] == 0
    assert (tifffile.imread(tmp_path / "fused.tif") == read_picture(tmp_path / "fused.png").array).all()
    assert (read_picture(tmp_path / "fused.tif").array == read_picture(tmp_path / "fused.bmp").array).all()
    with tifffile.TiffFile(tmp_path / "grey.tif") as file:
        tags = file.pages[0].tags  # type: ignore[union-attr]
        assert tags[0x010F].value == "FLIR Systems AB"
        assert tags["ExifTag"].value["DateTimeOriginal"] == "2020:01:02 03:04:05"
        assert tags["GPSTag"].value["GPSLatitudeRef"] == "N"
        assert tags["Software"].value == "polyfuse"
