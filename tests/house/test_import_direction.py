"""Rooms, and files of wings by their role, import only what the tables let them; the docs page says the same."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "polyfuse"
SOURCE = Path(__file__).resolve().parents[2] / "src" / PACKAGE
ROOMS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "developing" / "rooms.md"

# room -> rooms it may import. All may import `errors` and `_version`. A new room needs a row here and in the docs.
ROOMS: dict[str, set[str]] = {
    "ops": set(),
    "transforms": {"ops"},
    "io": set(),
    "listening": set(),
    "layers": {"ops"},
    "losses": {"ops"},
    "metrics": {"ops"},
    "drawing": {"ops"},
    "weights": {"io"},
    "alignment": {"io", "transforms", "ops"},
    "radiometric": {"alignment", "io", "transforms"},
    "scenes": {"io", "transforms"},
    "data": {"io", "transforms"},
    "evaluation": {"metrics", "alignment", "drawing", "io", "transforms", "ops"},
    "pages": {"drawing", "transforms", "io", "ops"},
    "train": {"data", "losses", "metrics", "weights", "ops", "io"},
    "families": {"train", "losses", "drawing", "weights", "layers", "ops", "io"},
    "registry": {"families", "train", "drawing", "weights", "ops", "io"},
    "engines": {"families", "io"},
    "fusion": {"engines", "alignment", "radiometric", "registry", "families", "transforms", "io", "ops"},
    "exporting": {"engines", "registry", "families", "fusion", "transforms", "io", "ops"},
    "video": {"alignment", "radiometric", "fusion", "registry", "families", "transforms", "io", "ops"},
    "live": {"video", "fusion", "alignment", "families", "transforms", "io", "listening"},
    "volumes": {"alignment", "fusion", "video", "registry", "families", "drawing", "transforms", "io", "ops"},
    "explain": {"alignment", "fusion", "registry", "families", "drawing", "io", "transforms", "ops"},
    "comparison": {
        "pages",
        "fusion",
        "evaluation",
        "metrics",
        "registry",
        "families",
        "alignment",
        "volumes",
        "io",
        "listening",
    },
    "service": {"fusion", "engines", "evaluation", "registry", "alignment", "radiometric", "io", "listening"},
    "ablation": {"train", "evaluation", "fusion", "registry", "metrics", "data", "io"},
    "downstream": {"fusion", "evaluation", "registry", "train", "data", "drawing", "transforms", "io", "ops"},
    "benchmark": {
        "evaluation",
        "downstream",
        "pages",
        "fusion",
        "registry",
        "families",
        "train",
        "metrics",
        "data",
        "drawing",
        "transforms",
        "io",
        "ops",
    },
    "cluster": {"evaluation", "fusion", "families", "io"},
    "demo": {"scenes", "fusion", "families", "metrics", "io", "transforms"},
}
# What a file of a wing may import, by its role: rooms, and "spec" for families/spec.py. Of other wings: nothing.
ROLES: dict[str, set[str]] = {
    "network": {"ops", "layers", "spec"},
    "losses": {"ops", "losses"},
    "training": {"train", "losses", "ops", "spec"},
    "official": {"weights", "io", "spec"},
    "explained": {"drawing", "ops", "spec"},
}
# Files whose role is not told by their names; every other file of a wing is part of its network.
ROLE_OF = {
    "lovasz": "losses",
    "adversarial": "losses",
    "study": "training",
    "distil": "training",
    "game": "training",
    "monitors": "training",
    "options": "training",
    "rules": "training",
    "stages": "training",
} | {role: role for role in ROLES}
LEAVES = {"errors", "_version"}
FACE = "__init__"  # polyfuse/__init__.py: re-exports from any room but cli; only cli may import it
FACES = {FACE: set(ROOMS), "__main__": {"cli"}, "cli": {*ROOMS, FACE}}
# train/__init__.py is a face too: its `train` knows the families, so nothing below `ablation` may import it.
LOOKS_UP = {"train/__init__.py": {"registry"}}


def room_of(module: str) -> str:
    """'polyfuse.io.read' -> 'io'; 'polyfuse' -> '__init__'."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else FACE


def role_of(names: list[str]) -> str:
    """Role of a file of a wing: ['fnet', 'explained', 'sheets'] -> 'explained'."""
    return ROLE_OF.get(names[1], "network") if len(names) > 1 else "network"


def wrong_in_wing(names: list[str], target: str) -> str | None:
    """What is wrong with an import by a file of a wing, given below families/; None if nothing is.

    An import of a wing by its package, e.g. polyfuse.families.fnet, counts as one of its network.
    """
    wing, role, parts = names[0], role_of(names), target.split(".")[1:]
    if parts[0] in LEAVES:
        return None
    if wing == "__init__":
        return f"families/__init__ -> {parts[0]}"
    if parts[0] != "families":
        return None if parts[0] in ROLES[role] else f"{wing} {role} -> {parts[0]}"
    if parts[1:2] == ["spec"]:
        return None if "spec" in ROLES[role] else f"{wing} {role} -> families/spec"
    return None if parts[1:2] == [wing] else f"{wing} -> {'/'.join(parts[:2])}"


def imported_modules(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything of ours that a file imports, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + (1 if is_package else 0)]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}" if base == PACKAGE else base
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def made_up_tree(folder: Path, file: str, text: str) -> None:
    """A tree with every room as an empty file, and one file with something in it."""
    for room in [*ROOMS, *LEAVES, *FACES]:
        if room != Path(file).parts[0]:
            (folder / f"{room}.py").touch()
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text + "\n", encoding="utf-8")


def wrong_edges(source: Path) -> list[str]:
    """'file:line: room -> room' for every import that the table does not allow."""
    # `from polyfuse import X`: X is a room, or else a name of the face.
    rooms = {path.stem for path in source.iterdir()}
    wrong = []
    for path in sorted(source.rglob("*.py")):
        names = [PACKAGE, *path.relative_to(source).with_suffix("").parts]
        is_package = names[-1] == "__init__"
        own = FACE if names[1:] == ["__init__"] else names[1]
        module = ".".join(names[:-1] if is_package else names)
        allowed = FACES.get(own, ROOMS.get(own, set())) | LEAVES | {own}
        if own in LEAVES:
            allowed = set()
        elif own not in ROOMS and own not in FACES:
            wrong.append(f"{path.relative_to(source)}:1: {own} is not in the table of rooms")
            continue
        allowed = allowed | LOOKS_UP.get(path.relative_to(source).as_posix(), set())
        for line, target in imported_modules(ast.parse(path.read_text(encoding="utf-8")), module, is_package):
            if target.split(".")[0] != PACKAGE:
                continue
            room = room_of(target) if room_of(target) in rooms else FACE
            if room not in allowed:
                wrong.append(f"{path.relative_to(source)}:{line}: {own} -> {room}")
            elif target == "polyfuse.train" and own not in ("ablation", "cli", FACE):
                wrong.append(f"{path.relative_to(source)}:{line}: {own} -> the face of train")
            elif own == "families" and names[2] != "spec":
                problem = wrong_in_wing(names[2:], target)
                wrong += [] if problem is None else [f"{path.relative_to(source)}:{line}: {problem}"]
    return wrong


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong = wrong_edges(SOURCE)
    assert not wrong, "imports against the direction:\n" + "\n".join(wrong)


def test_table_has_no_cycle() -> None:
    done: set[str] = set()
    while ready := {room for room, needs in ROOMS.items() if room not in done and needs <= done}:
        done |= ready
    assert done == set(ROOMS), f"rooms in a cycle: {sorted(set(ROOMS) - done)}"


def test_docs_page_shows_the_same_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", ROOMS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    shown = {room: set(re.findall(r"`(\w+)`", needs)) for room, needs in rows}
    assert {room: needs - LEAVES for room, needs in shown.items() if room in ROOMS} == ROOMS
    roles = re.findall(r"^\| \*(\w+)\* \|[^|]*\| ([^|]*) \|", ROOMS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {role: set(re.findall(r"`(\w+)`", needs)) for role, needs in roles} == ROLES


@pytest.mark.parametrize(
    ("file", "text", "edge"),
    [
        ("io/read.py", "from polyfuse.fusion import fuse", "io/read.py:1: io -> fusion"),
        ("io/read.py", "import polyfuse.ops.windows", "io/read.py:1: io -> ops"),
        ("io/read.py", "from polyfuse import registry", "io/read.py:1: io -> registry"),
        ("io/read.py", "from polyfuse import fuse", "io/read.py:1: io -> __init__"),
        ("io/read.py", "import polyfuse", "io/read.py:1: io -> __init__"),
        ("ops/a.py", "def f():\n    from polyfuse.io import read_picture", "ops/a.py:2: ops -> io"),
        ("ops/a.py", "from ..families import fnet", "ops/a.py:1: ops -> families"),
        ("ops/a.py", "from .. import families", "ops/a.py:1: ops -> families"),
        ("ops/__init__.py", "from ..families import fnet", "ops/__init__.py:1: ops -> families"),
        ("families/fnet/network.py", "from ...fusion import x", "families/fnet/network.py:1: families -> fusion"),
        ("families/a/network.py", "from polyfuse.losses import x", "families/a/network.py:1: a network -> losses"),
        ("families/a/fast.py", "from polyfuse.families.b import x", "families/a/fast.py:1: a -> families/b"),
        ("families/a/losses.py", "from polyfuse.train.stage import x", "families/a/losses.py:1: a losses -> train"),
        (
            "families/a/losses.py",
            "from polyfuse.families.spec import x",
            "families/a/losses.py:1: a losses -> families/spec",
        ),
        (
            "families/a/explained/b.py",
            "from polyfuse.train.stage import x",
            "families/a/explained/b.py:1: a explained -> train",
        ),
        (
            "families/a/training.py",
            "from polyfuse.train import train",
            "families/a/training.py:1: families -> the face of train",
        ),
        ("train/loop.py", "from polyfuse.registry import load", "train/loop.py:1: train -> registry"),
        ("registry/a.py", "from polyfuse.cli import main", "registry/a.py:1: registry -> cli"),
        ("__init__.py", "from polyfuse.cli import main", "__init__.py:1: __init__ -> cli"),
        ("errors.py", "from polyfuse._version import __version__", "errors.py:1: errors -> _version"),
        ("io/read.py", "import importlib\nimportlib.import_module('polyfuse.cli')", "io/read.py:2: io -> cli"),
        ("attic.py", "", "attic.py:1: attic is not in the table of rooms"),
    ],
)
def test_wrong_edge_is_found(tmp_path: Path, file: str, text: str, edge: str) -> None:
    made_up_tree(tmp_path, file, text)
    assert wrong_edges(tmp_path) == [edge]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("fusion/pair.py", "from polyfuse.io import read_picture\nfrom ..errors import InputError\nimport torch"),
        ("fusion/pair.py", "from .tile import tiles\nfrom polyfuse._version import __version__"),
        ("cli/fuse.py", "def f():\n    import polyfuse\n    from polyfuse.fusion import fuse"),
        ("__init__.py", "from polyfuse.fusion import fuse\nfrom polyfuse._version import __version__"),
        ("__main__.py", "from polyfuse.cli import main"),
        (
            "families/a/explained/b.py",
            "from polyfuse.drawing.canvas import x\nfrom polyfuse.families.a.network import y",
        ),
        ("families/a/training.py", "from polyfuse.train.stage import x\nfrom polyfuse.families.spec import y"),
        ("train/__init__.py", "from polyfuse.registry.trained import train"),
    ],
)
def test_allowed_edge_passes(tmp_path: Path, file: str, text: str) -> None:
    made_up_tree(tmp_path, file, text)
    assert wrong_edges(tmp_path) == []
