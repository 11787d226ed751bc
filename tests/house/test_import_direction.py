"""Rooms import only what the table lets them; the table and the docs page say the same."""

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
    "layers": {"ops"},
    "models": {"layers", "ops"},
    "losses": {"ops"},
    "metrics": {"ops"},
    "weights": {"io"},
    "registry": {"models", "weights", "ops", "io"},
    "fusion": {"registry", "models", "transforms", "io", "ops"},
    "video": {"fusion", "registry", "models", "transforms", "io", "ops"},
    "data": {"io", "transforms"},
    "evaluation": {"metrics", "io", "transforms", "ops"},
    "train": {"data", "models", "losses", "metrics", "weights", "ops", "io"},
    "explain": {"fusion", "registry", "models", "io", "transforms", "ops"},
    "ablation": {"train", "evaluation", "fusion", "registry", "models", "metrics", "data", "io"},
    "demo": {"data", "fusion", "metrics", "models", "io", "transforms"},
}
LEAVES = {"errors", "_version"}
FACE = "__init__"  # polyfuse/__init__.py: re-exports from any room but cli; only cli may import it
FACES = {FACE: set(ROOMS), "__main__": {"cli"}, "cli": {*ROOMS, FACE}}


def room_of(module: str) -> str:
    """'polyfuse.io.read' -> 'io'; 'polyfuse' -> '__init__'."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else FACE


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
        for line, target in imported_modules(ast.parse(path.read_text(encoding="utf-8")), module, is_package):
            if target.split(".")[0] != PACKAGE:
                continue
            room = room_of(target) if room_of(target) in rooms else FACE
            if room not in allowed:
                wrong.append(f"{path.relative_to(source)}:{line}: {own} -> {room}")
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


@pytest.mark.parametrize(
    ("file", "text", "edge"),
    [
        ("io/read.py", "from polyfuse.fusion import fuse", "io/read.py:1: io -> fusion"),
        ("io/read.py", "import polyfuse.ops.windows", "io/read.py:1: io -> ops"),
        ("io/read.py", "from polyfuse import registry", "io/read.py:1: io -> registry"),
        ("io/read.py", "from polyfuse import fuse", "io/read.py:1: io -> __init__"),
        ("io/read.py", "import polyfuse", "io/read.py:1: io -> __init__"),
        ("ops/a.py", "def f():\n    from polyfuse.io import read_picture", "ops/a.py:2: ops -> io"),
        ("ops/a.py", "from ..models import fnet", "ops/a.py:1: ops -> models"),
        ("ops/a.py", "from .. import models", "ops/a.py:1: ops -> models"),
        ("ops/__init__.py", "from ..models import fnet", "ops/__init__.py:1: ops -> models"),
        ("models/classic/average.py", "from ...fusion import x", "models/classic/average.py:1: models -> fusion"),
        ("registry.py", "from polyfuse.cli import main", "registry.py:1: registry -> cli"),
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
    ],
)
def test_allowed_edge_passes(tmp_path: Path, file: str, text: str) -> None:
    made_up_tree(tmp_path, file, text)
    assert wrong_edges(tmp_path) == []
