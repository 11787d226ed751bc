"""What is tracked works on any machine: no absolute paths of one, no package index, no local torch build."""

import re
import subprocess
from pathlib import Path

import pytest

# Folders of a home or of a workplace. A relative `../shared` is fine. Written so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~*}])/(?:root|work|home/\w+|Users/\w+|opt/(?:pypi|wheels))(?:/|\b(?=[\s'\"`)]))")
INDEX = re.compile(r"^\s*(?:-i|-f|--(?:extra-)?index-url|--find-links)\b|^[^#]*(?:\s@\s|://|\+cpu)", re.MULTILINE)


def machine_paths(folder: Path, names: list[str]) -> list[str]:
    """'file:line' of every machine path in the text files named."""
    found = []
    for name in names:
        content = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                found.append(f"{name}:{number}: {line.strip()[:120]}")
    return found


def test_no_tracked_file_names_a_path_of_one_machine(repository: Path) -> None:
    listing = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    found = machine_paths(repository, listing.stdout.split("\0")[:-1])
    assert not found, "\n".join(found)


def test_constraints_hold_plain_pins_only(repository: Path) -> None:
    text = (repository / "ci" / "constraints.txt").read_text(encoding="utf-8")
    assert INDEX.findall(text) == []
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in text.splitlines() if line and line[0] != "#")


def test_machine_path_is_found(tmp_path: Path) -> None:
    folder = "/" + "root"
    text = f"{folder}/x\nhttps://host.example{folder}/x\ntree{folder}/item\n..{folder}/x\ncd '{folder}'\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "b.png").write_bytes(b"\0" + folder.encode() + b"/x")
    assert [entry.split(": ")[0] for entry in machine_paths(tmp_path, ["a.txt", "b.png", "gone.txt"])] == [
        "a.txt:1",
        "a.txt:5",
    ]


@pytest.mark.parametrize("line", ["--index-url x", "-f wheels", "torch @ file:x", "# ok\ntorch==2.13.0+cpu"])
def test_pin_that_ties_to_one_machine_is_found(line: str) -> None:
    assert INDEX.search(line)
