"""No files import each other in a circle: neither at the top, nor inside functions, nor for types alone."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = "polyfuse"
SOURCE = Path(__file__).resolve().parents[2] / "src" / PACKAGE


def modules_below(source: Path) -> dict[str, Path]:
    """Every module by its name; a package is its __init__.py."""
    names = {}
    for path in sorted(source.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(source).with_suffix("").parts]
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports_of(name: str, modules: Mapping[str, Path]) -> Iterator[str]:
    """Modules that a module imports, wherever in the file: `from a import b` is a.b where that is a module, else a."""
    path = modules[name]
    parents = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                target = f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base
                if target in modules and target != name:
                    yield target


def circles(source: Path) -> list[list[str]]:
    """Groups of modules each of which reaches every other of its group."""
    modules = modules_below(source)
    graph = {name: set(imports_of(name, modules)) for name in modules}
    reached = {name: _reached(name, graph) for name in graph}
    groups = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph}
    return [list(group) for group in sorted(groups) if group]


def _reached(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    """What a module imports, and what that imports, and so on."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(graph[name])
    return seen


def test_no_files_import_each_other() -> None:
    assert circles(SOURCE) == []


@pytest.mark.parametrize(
    "text",
    [
        "from polyfuse.b import x",
        "import polyfuse.b",
        "from polyfuse import b",
        "from . import b",
        "def f():\n    from polyfuse.b import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from polyfuse.b import x",
    ],
)
def test_a_circle_is_seen(tmp_path: Path, text: str) -> None:
    (tmp_path / "__init__.py").touch()
    (tmp_path / "a.py").write_text(text)
    (tmp_path / "b.py").write_text("from polyfuse.c import y")
    (tmp_path / "c.py").write_text("from polyfuse.a import z")
    assert circles(tmp_path) == [["polyfuse.a", "polyfuse.b", "polyfuse.c"]]


def test_a_chain_is_no_circle(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from polyfuse.b import x\nfrom polyfuse.c import y")
    (tmp_path / "b.py").write_text("from polyfuse.c import y")
    (tmp_path / "c.py").touch()
    assert circles(tmp_path) == []
