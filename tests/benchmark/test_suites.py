"""Suites and sets: what is refused, what is found, what is known of the files."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from polyfuse.benchmark.methods import choose_models, find_folders
from polyfuse.benchmark.sets import find_sets, hashed, known_sets, list_of
from polyfuse.benchmark.suite import Suite, bundled_suites, load_suite, read_suite, with_folders, with_models
from polyfuse.errors import InputError, PolyfuseError, UsageError
from polyfuse.io import write_picture

YARD = {"a": "ir", "b": "vi"}


def draw(folder: Path, names: list[str], size: tuple[int, int] = (24, 32), seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for name in names:
        write_picture(folder / f"{name}.png", rng.integers(0, 256, size, dtype=np.uint8), overwrite=True)


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """Folders ir/ and vi/ with three pairs."""
    draw(tmp_path / "ir", ["1", "2", "3"])
    draw(tmp_path / "vi", ["1", "2", "3"], seed=1)
    return tmp_path


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"setz": []}, "did you mean set"),
        ({"set": {"x": {"a": "ir"}}}, "one place"),
        ({"set": {"x": {"a": "ir", "b": "vi", "colour": 1}}}, "suite.set.x has no 'colour'"),
        ({"fused": {"x": {"folder": "f", "pattern": "all"}}}, "{name}_ADF"),
        ({"fused": {"x": {"folder": "f", "pattern": "../{name}"}}}, "is no name of a picture"),
        ({"timing": {"sizes": ["big"]}}, "WIDTHxHEIGHT"),
        ({"sets": ["tno-25", "tno-25"]}, "twice"),
        ({"sets": ["tno-25"], "targets": {"t": {"set": "yard", "masks": "m"}}}, "which the suite does not have"),
        ({"pairs": -1}, "must not be negative"),
        ({"protocols": []}, "no protocol"),
    ],
)
def test_suite_that_makes_no_sense_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("{", r"\{").replace("[", r"\[")):
        read_suite(values, Path())


def test_bundled_suites_can_be_read() -> None:
    assert set(bundled_suites()) == {"medical", "quick", "road"}


@pytest.mark.slow  # loads every model
def test_words_tell_networks_from_classic_methods() -> None:
    networks, classics = (
        {method.name for method in choose_models(Suite(models=(word,)))} for word in ("bundled", "classics")
    )
    assert not networks & classics
    assert "fnet.road" in networks
    assert {"laplacian", "mdlatlrr"} <= classics


@pytest.mark.slow  # loads every model
def test_bundled_suites_choose_models() -> None:
    names = [method.name for method in choose_models(load_suite("medical"))]
    assert {"fnet.brain", "pyrfuse.brain", "laplacian"} <= set(names)
    assert not {"average", "maximum", "fnet.road"} & set(names)


def test_lists_of_known_sets_have_as_many_pairs_as_they_say() -> None:
    for name, facts in known_sets().items():
        names = [line.name for line in list_of(name)]
        assert len(set(names)) == len(names)
        assert len(names) == facts.count or (facts.open and len(names) < facts.count), name


def test_known_set_is_found_in_part_and_others_are_missing(tmp_path: Path) -> None:
    for side, folder in enumerate(("ir", "vi")):
        draw(tmp_path / "VIFB/test" / folder, ["carLight", "snow", "unknown"], seed=side)
    found, missing = find_sets(Suite(sets=("vifb-21", "msrs-361")), tmp_path)
    assert [(one.name, one.size, one.is_whole) for one in found] == [("vifb-21", "2 of 21 pairs", False)]
    assert [pair.name for pair in found[0].pairs] == ["carLight", "snow"]
    assert [one.name for one in missing] == ["msrs-361"]
    assert "github.com" in missing[0].where
    ready, _ = hashed(found[0])
    assert "2 pairs of 2 differ in their bytes" in ready.notes[0]


def test_open_set_takes_pairs_that_its_list_lacks(tmp_path: Path) -> None:
    for folder in ("ir", "vi"):
        draw(tmp_path / "msrs/test" / folder, ["00004N", "99999D"])
    found, _ = find_sets(Suite(sets=("msrs-361",)), tmp_path)
    assert [pair.name for pair in found[0].pairs] == ["00004N", "99999D"]


def test_no_set_at_all_names_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of the sets; tno-25 is missing: get .*github"):
        find_sets(Suite(sets=("tno-25",)), tmp_path)
    with pytest.raises(UsageError, match="pass --data"):
        find_sets(Suite(sets=("tno-25",)), None)
    with pytest.raises(UsageError, match="there is no set 'tno'"):
        find_sets(Suite(sets=("tno",)), tmp_path)


def test_pairs_of_the_same_bytes_come_into_one_group(yard: Path) -> None:
    for side in ("ir", "vi"):
        (yard / side / "3.png").write_bytes((yard / side / "1.png").read_bytes())
    found, _ = find_sets(read_suite({"set": {"yard": YARD}}, yard), None)
    ready, digests = hashed(found[0])
    assert ready.num_groups == 2
    assert ready.group_of("1") == ready.group_of("3") != ready.group_of("2")
    assert any("are the same pictures" in note for note in ready.notes)
    assert len(digests) == 3


def test_groups_and_hash_of_a_set_are_checked(yard: Path) -> None:
    (yard / "groups.csv").write_text("name,group\n1,street\n2,street\n", encoding="utf-8")
    found, _ = find_sets(read_suite({"set": {"yard": {**YARD, "groups": "groups.csv"}}}, yard), None)
    assert found[0].num_groups == 2
    (yard / "groups.csv").write_text("name,group\n9,street\n", encoding="utf-8")
    with pytest.raises(InputError, match="names pairs that are not there"):
        find_sets(read_suite({"set": {"yard": {**YARD, "groups": "groups.csv"}}}, yard), None)
    other, _ = find_sets(read_suite({"set": {"yard": {**YARD, "sha256": "0" * 64}}}, yard), None)
    with pytest.raises(InputError, match="drop sha256"):
        hashed(other[0])


def test_fewer_pairs_are_spread_evenly(yard: Path) -> None:
    found, _ = find_sets(read_suite({"pairs": 1, "set": {"yard": YARD}}, yard), None)
    assert [pair.name for pair in found[0].pairs] == ["2"]
    assert found[0].size == "1 of 3 pairs"


def test_weights_enter_under_a_name_of_the_users(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(resources.files("polyfuse.weights").joinpath("fnet-t16.road.safetensors").read_bytes())
    suite = with_models(Suite(), [f"before={file}", f"FNet-T={file}", "laplacian"])
    methods = {method.name: method for method in choose_models(suite)}
    assert list(methods) == ["laplacian", "before", "FNet-T"]
    assert methods["before"].load().spec == methods["FNet-T"].load().spec != methods["laplacian"].load().spec
    assert methods["before"].made_by["weights_sha256"] == methods["FNet-T"].made_by["weights_sha256"]
    with pytest.raises(UsageError, match="takes no weights file"):
        choose_models(with_models(Suite(), [f"laplacian={file}"]))


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        (Suite(models=("nothing",)), "there is no model"),
        (Suite(models=("*.nothing",)), "no model is called like"),
        (Suite(models=("average",)), "always there"),
        (Suite(models=("fnet",)), "needs weights"),
        (with_models(Suite(), ["fnet=missing.safetensors"]), "method fnet: .*missing.safetensors"),
        (with_folders(Suite(models=("laplacian",)), ["Laplacian=x"]), "two methods are called"),
    ],
)
def test_method_that_cannot_be_is_refused(suite: Suite, words: str) -> None:
    with pytest.raises(PolyfuseError, match=words):
        choose_models(suite)


def test_folder_of_results_is_found_by_pattern_and_checked(yard: Path) -> None:
    suite = read_suite({"set": {"yard": YARD}}, yard)
    found, _ = find_sets(suite, None)
    draw(yard / "theirs", ["1_ADF", "2_ADF", "3_ADF"])
    by_pattern = with_folders(suite, [f"ADF={yard / 'theirs'}"], ["ADF={name}_ADF"])
    assert sorted(find_folders(by_pattern, found)[0].files["yard"]) == ["1", "2", "3"]
    with pytest.raises(InputError, match="ADF lacks 3 of 3 pictures of yard"):
        find_folders(with_folders(suite, [f"ADF={yard / 'theirs'}"]), found)
    draw(yard / "theirs", ["2_ADF"], size=(10, 10))
    with pytest.raises(InputError, match=r"ADF lacks 1 of 3 .*10x10 and its pair 32x24"):
        find_folders(by_pattern, found)
    some = find_folders(by_pattern, found, skip_missing=True)[0]
    assert (sorted(some.files["yard"]), sorted(some.missing["yard"])) == (["1", "3"], ["2"])
    with pytest.raises(InputError, match="is no folder"):
        find_folders(with_folders(suite, [f"ADF={yard / 'absent'}"]), found)
