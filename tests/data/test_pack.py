"""A pack gives back the luma that went in, says whose it is, and is whole or refused."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyfuse import cli
from polyfuse.data.layouts import PairSet, find_set
from polyfuse.data.pack import _PREAMBLE, MAGIC, Pack, write_pack
from polyfuse.errors import InputError, OutputError
from polyfuse.io import Pair, read_picture, write_picture
from polyfuse.transforms.colour import split_official8

WritePairs = Callable[..., None]


@pytest.fixture
def street(tmp_path: Path, write_pairs: WritePairs) -> PairSet:
    """A set of two pairs."""
    write_pairs(tmp_path / "street/train/ir", tmp_path / "street/train/vi")
    return find_set(tmp_path / "street", "train")


def test_pack_holds_grey_as_it_is_and_colour_as_rounded_luma(tmp_path: Path, street: PairSet) -> None:
    write_pack(tmp_path / "x.pack", [street], luma_b="full")
    a, b = Pack(tmp_path / "x.pack").planes(1)
    np.testing.assert_array_equal(a, read_picture(street.pairs[1].a).array)
    exact = read_picture(street.pairs[1].b).array @ [0.299, 0.587, 0.114]
    assert np.abs(b - exact).max() <= 0.5 + 1e-9  # rounded once


def test_studio_luma_is_that_of_the_published_training_data(tmp_path: Path, street: PairSet) -> None:
    write_pack(tmp_path / "x.pack", [street], luma_b="studio")
    pack = Pack(tmp_path / "x.pack")
    np.testing.assert_array_equal(pack.planes(0)[1], split_official8(read_picture(street.pairs[0].b).array)[0])
    assert pack.luma == "studio"


def test_grey_b_is_put_in_studio_range_like_colour(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / name / "0.png", np.arange(256, dtype=np.uint8).reshape(16, 16) // 2)
    pair = Pair("0", tmp_path / "a/0.png", tmp_path / "b/0.png")
    write_pack(tmp_path / "x.pack", [PairSet("s", "all", (pair,))], luma_b="studio")
    a, b = Pack(tmp_path / "x.pack").planes(0)
    assert (a.min(), a.max(), b.min(), b.max()) == (0, 127, 16, 125)


def test_header_names_set_split_size_and_sources(tmp_path: Path, street: PairSet) -> None:
    write_pack(tmp_path / "x.pack", [street], luma_b="full")
    item = Pack(tmp_path / "x.pack").items[1]
    assert (item.set, item.split, item.name, item.height, item.width) == ("street", "train", "1", 20, 24)
    assert item.sha256_a == hashlib.sha256(street.pairs[1].a.read_bytes()).hexdigest()


def test_pair_of_different_size_is_refused_and_nothing_is_left(tmp_path: Path, street: PairSet) -> None:
    write_picture(street.pairs[1].b, np.zeros((20, 25), np.uint8), overwrite=True)
    with pytest.raises(InputError, match=r"24x20.*25x20"):
        write_pack(tmp_path / "x.pack", [street], luma_b="full")
    assert not (tmp_path / "x.pack").exists()


def test_16_bit_picture_is_refused(tmp_path: Path, street: PairSet) -> None:
    write_picture(street.pairs[0].a, np.zeros((20, 24), np.uint16), overwrite=True)
    with pytest.raises(InputError, match="has 16 bits"):
        write_pack(tmp_path / "x.pack", [street], luma_b="full")


def test_one_set_is_said_in_the_singular(
    tmp_path: Path, write_pairs: WritePairs, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path / "one/train/ir", tmp_path / "one/train/vi", count=1)
    write_pairs(tmp_path / "two/train/ir", tmp_path / "two/train/vi", count=1)
    for names, said in ((["one"], "1 pair of 1 set"), (["one", "two"], "2 pairs of 2 sets")):
        folders = [str(tmp_path / name) for name in names]
        assert cli.run(["data", "pack", *folders, "-o", str(tmp_path / "x.pack"), "--overwrite"]) == 0
        assert capsys.readouterr().err == f"{said}, luma full\n"


def test_existing_pack_is_not_replaced_unasked(tmp_path: Path, street: PairSet) -> None:
    (tmp_path / "x.pack").touch()
    with pytest.raises(OutputError, match="--overwrite"):
        write_pack(tmp_path / "x.pack", [street], luma_b="full")


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: b"X" + content[1:], lambda content: b"PF"]
)
def test_damaged_pack_is_refused(tmp_path: Path, street: PairSet, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x.pack"
    write_pack(path, [street], luma_b="full")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="no complete pack"):
        Pack(path)


def rewritten(path: Path, change: Callable[[dict], object]) -> Path:
    """The pack with another header."""
    content = path.read_bytes()
    _, offset, _ = _PREAMBLE.unpack(content[: _PREAMBLE.size])
    header = json.loads(content[offset:])
    changed = change(header)
    text = json.dumps(header if changed is None else changed).encode()
    path.write_bytes(_PREAMBLE.pack(MAGIC, offset, len(text)) + content[_PREAMBLE.size : offset] + text)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(items=[]),
        lambda header: header["items"][0].update(offset=10**12),
        lambda header: header["items"][0].update(offset=-1),
        lambda header: header["items"][0].update(offset=0),
        lambda header: header["items"][1].update(offset=header["items"][0]["offset"]),
        lambda header: header["items"][0].update(height=0),
        lambda header: header["items"][0].update(width=10**9),
        lambda header: header["items"][0].update(width="24"),
        lambda header: header["items"][0].update(name=5),
        lambda header: header["items"][0].pop("offset"),
        lambda header: header.update(luma="odd"),
        lambda header: header.update(sha256=5),
        lambda header: header.update(sha256="0" * 64),
        lambda header: header.update(items=5),
        lambda header: [header],
        lambda header: header.update(deep=json.loads("[" * 40 + "]" * 40)),
    ],
)
def test_pack_with_another_header_is_refused(tmp_path: Path, street: PairSet, change: Callable[[dict], object]) -> None:
    write_pack(tmp_path / "x.pack", [street], luma_b="full")
    with pytest.raises(InputError, match="no complete pack"):
        Pack(rewritten(tmp_path / "x.pack", change))


def test_changed_pixels_are_noticed_once_in_a_process(
    tmp_path: Path, street: PairSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.pack"
    write_pack(path, [street], luma_b="full")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    (tmp_path / "y.pack").write_bytes(content)
    with pytest.raises(InputError, match="its pixels do not match their hash"):
        Pack(tmp_path / "y.pack")
    Pack(path)
    monkeypatch.setattr(hashlib, "sha256", None)
    Pack(path)
    pickle.loads(pickle.dumps(Pack(path)))


def test_folder_is_no_pack_and_the_verb_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, no pack: make one with `polyfuse data pack"):
        Pack(tmp_path)


def test_missing_pack_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Pack(tmp_path / "x.pack")


def test_training_splits_hold_no_neighbour_of_a_test_picture(shared_dir: Path) -> None:
    listed = (shared_dir / "data/near_test.csv").read_text(encoding="utf-8").splitlines()[1:]
    near = {tuple(line.split(",")[:2]) for line in listed}
    sets = [
        find_set(shared_dir / "data" / name, split) for name in ("roadscene", "m3svd") for split in ("train", "val")
    ]
    assert [pair.name for group in sets for pair in group.pairs if (group.name, pair.name) in near] == []
    assert len(near) > 100


def test_a_pack_that_is_cut_while_it_is_read_is_an_input_error(tmp_path: Path) -> None:
    planes = np.zeros((2, 200, 300), np.uint8)
    for name, plane in zip("ab", planes, strict=True):
        write_picture(tmp_path / f"{name}.png", plane)
    pair = Pair("p", tmp_path / "a.png", tmp_path / "b.png")
    write_pack(tmp_path / "x.pack", [PairSet("s", "train", (pair,))], luma_b="full")
    pack = Pack(tmp_path / "x.pack")
    os.truncate(tmp_path / "x.pack", 1000)
    with pytest.raises(InputError, match="was cut while it was read"):
        pack.planes(0)


def test_the_message_about_a_pack_is_one_line_whatever_its_header_holds(tmp_path: Path, street: PairSet) -> None:
    path = tmp_path / "x.pack"
    write_pack(path, [street], luma_b="full")
    content = path.read_bytes()
    offset = _PREAMBLE.unpack(content[: _PREAMBLE.size])[1]
    header = json.loads(content[offset:])
    header["items"][0][f"two\nlines{'x' * 9999}"] = 1
    text = json.dumps(header).encode()
    path.write_bytes(_PREAMBLE.pack(MAGIC, offset, len(text)) + content[_PREAMBLE.size : offset] + text)
    with pytest.raises(InputError, match="is no complete pack") as caught:
        Pack(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000
