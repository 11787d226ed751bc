"""Every citation of a specification in the source names a page, a section and a row that exist.

The form is `spec PAGE SECTION`, e.g. `spec fnet 7.1`, `spec smfnet 2.9 to 2.12`, `spec smfnet 12 (S3)`, or
`spec PAGE ROW`, e.g. `spec ambiguities S11`; see docs/developing/spec/index.md.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

OPEN_POINTS = "ambiguities"
"""Page whose rows, S1 and so on, may stand behind a section of any page."""
SECTION = r"\d+(?:\.\d+)*"
ROW = r"(?:AE|S|D)\d+"
PLACE = rf"(?:{SECTION}|{ROW})"
MORE = r"(?:,| and| to)\s+"
CITATION = re.compile(
    rf"spec\s+(?P<page>(?!sections?\b)[a-z]+)\s+(?P<places>{PLACE}(?:{MORE}{PLACE})*)"
    rf"(?:\s+\((?P<rows>{ROW}(?:{MORE}{ROW})*)\))?"
)
WORD = re.compile(r"(?<![\w.`/-])[Ss]pec(?:ification)?s?(?!\.\w|[\w`=(\[/])")
"""The word where it is no name, as it is in `model.spec` and `spec=None`."""
OTHER = re.compile(r"\((?:S|D)\d+\)|\breference, sections?\b|\bspec/\w+")
"""Ways of citing that name no page of ours."""
NAMES = re.compile(r"`[^`\n]*`")
TEXT_TOKENS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}

Pages = dict[str, tuple[set[str], set[str]]]


def pages_in(folder: Path) -> Pages:
    """Numbers of the sections and names of the table rows of each page, by the page's name."""
    found = {}
    for page in folder.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        sections = set(re.findall(rf"^#+ ({SECTION})(?= )", text, re.MULTILINE))
        found[page.stem] = sections, set(re.findall(rf"^\| ({ROW}) \|", text, re.MULTILINE))
    return found


def passages(name: str, text: str) -> Iterator[tuple[int, str]]:
    """First line and text of each comment and string of a Python file; of another file, all of it.

    Comments that follow one another are one passage, for a citation may be broken between lines.
    """
    if not name.endswith(".py"):
        yield 1, re.sub(r"\n\s*(?:\*|//) ?", "\n", text)
        return
    comment: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in TEXT_TOKENS:
            continue
        if token.type != tokenize.COMMENT:
            yield token.start[0], token.string
            continue
        if comment and token.start[0] != last + 1:
            yield first, "\n".join(comment)
            comment = []
        if not comment:
            first = token.start[0]
        comment.append(token.string.lstrip("# "))
        last = token.start[0]
    if comment:
        yield first, "\n".join(comment)


def wrong_citations(name: str, text: str, pages: Pages) -> list[str]:
    """'file:line: what is wrong' for each citation that leads nowhere."""
    found = []
    for first, passage in passages(name, text):
        if passage.strip("rbfRBF\"'") in ("spec", "Spec"):
            continue  # a key or an option, no prose
        prose = NAMES.sub(lambda match: " " * len(match.group()), passage)
        rest, errors = list(prose), []
        for match in WORD.finditer(prose):
            if prose[match.end() :][:1] == ":" and not prose[: match.start()].rpartition("\n")[2].strip():
                continue  # an argument of that name in a docstring
            cited = CITATION.match(prose, match.start())
            if cited is None:
                errors.append((match.start(), f"{_shown(passage, match.start())!r} names no page and section"))
                continue
            rest[cited.start() : cited.end()] = " " * (cited.end() - cited.start())
            errors += [(match.start(), error) for error in _missing(cited, pages)]
        for match in OTHER.finditer("".join(rest)):
            errors.append((match.start(), f"{match.group()!r} names no page and section"))
        found += [f"{name}:{first + passage.count(chr(10), 0, at)}: {error}" for at, error in sorted(errors)]
    return found


def _shown(passage: str, at: int) -> str:
    """A few words from there on."""
    return " ".join(passage[at : at + 40].split())


def _missing(cited: re.Match[str], pages: Pages) -> list[str]:
    """What of a citation does not exist."""
    page = cited["page"]
    if page not in pages:
        return [f"there is no page {page!r}, but {', '.join(sorted(pages))}"]
    sections, rows = pages[page]
    places = re.findall(rf"{ROW}|{SECTION}", cited["places"])
    lacking = [f"page {page} has no {place}" for place in places if place not in sections | rows]
    known = rows | pages.get(OPEN_POINTS, (set(), set()))[1]
    behind = re.findall(ROW, cited["rows"] or "")
    return lacking + [f"neither page {page} nor {OPEN_POINTS} has a row {row}" for row in behind if row not in known]


def test_every_citation_in_the_source_leads_somewhere(repository: Path) -> None:
    source = repository / "src" / "polyfuse"
    pages = pages_in(repository / "docs" / "developing" / "spec")
    files = sorted(path for path in source.rglob("*") if path.suffix in (".py", ".c", ".h"))
    assert files
    wrong = []
    for path in files:
        name = path.relative_to(repository).as_posix()
        wrong += wrong_citations(name, path.read_text(encoding="utf-8"), pages)
    assert not wrong, "\n".join(wrong)


def test_source_cites_every_network_page(repository: Path) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (repository / "src" / "polyfuse").rglob("*.py"))
    assert {"fnet", "smfnet", "daefuse", "metrics"} <= {match["page"] for match in CITATION.finditer(text)}


MADE_UP: Pages = {
    "fnet": ({"7", "7.1", "9"}, {"AE6"}),
    "smfnet": ({"2.9", "2.12", "12"}, set()),
    "ambiguities": (set(), {"S3", "S11", "D9"}),
}


@pytest.mark.parametrize(
    "text",
    [
        '"""Losses (spec fnet 7 and 7.1)."""',
        '"""Losses (spec smfnet 2.9 to 2.12), 3 x 3."""',
        "x = 1  # ours: spec fnet 9 (AE6)",
        '"""Open (spec smfnet 12 (S3)); see spec ambiguities S11 and D9."""',
        '"""A citation at the end of a line, spec\n    fnet 7.1.\n    """',
        "# ours: what is said in spec\n# fnet 7.1, is not done\nx = 1",
        'print(model.spec, "spec", spec)\nspec: int = 1',
        '"""By `spec.family` of `ModelSpec`.\n\n    Args:\n        spec: How to choose.\n    """',
    ],
)
def test_citation_that_leads_somewhere_passes(text: str) -> None:
    assert wrong_citations("a.py", text, MADE_UP) == []


@pytest.mark.parametrize(
    ("text", "line", "error"),
    [
        ('"""Losses (spec section 7)."""', 1, "names no page"),
        ('"""Losses.\n\n    Source: spec, section 8.2.\n    """', 3, "names no page"),
        ("x = 1\n# ours: the spec names one.", 2, "names no page"),
        ('"""Of the specification\'s section 12."""', 1, "names no page"),
        ('"""Blocks (spec 2.9)."""', 1, "names no page"),
        ('"""Spec section 2: the gradient."""', 1, "names no page"),
        ('"""Constant (spec/ambiguities S11)."""', 1, "names no page"),
        ('"""Open (S3)."""', 1, "names no page"),
        ("x = 1  # reference, sections 4 and 5", 1, "names no page"),
        ('"""Losses (spec fnet 7.2)."""', 1, "page fnet has no 7.2"),
        ('"""Losses (spec fnet 7 and 8)."""', 1, "page fnet has no 8"),
        ('"""Losses (spec fnett 7)."""', 1, "no page 'fnett'"),
        ('"""Open (spec ambiguities S12)."""', 1, "page ambiguities has no S12"),
        ('"""Open (spec smfnet 12 (S4))."""', 1, "row S4"),
        ('"""Ablation (spec fnet 9 (AE7))."""', 1, "row AE7"),
    ],
)
def test_citation_that_leads_nowhere_is_found(text: str, line: int, error: str) -> None:
    found = wrong_citations("a.py", text, MADE_UP)
    assert found
    assert all(entry.startswith(f"a.py:{line}: ") and error in entry for entry in found)


@pytest.mark.parametrize("text", ["// spec fnet 8\n", "/* As in the spec. */\n", "/* spec\n * fnet 7.2 */\n"])
def test_citation_in_c_is_read_too(text: str) -> None:
    assert len(wrong_citations("a.c", text, MADE_UP)) == 1


def test_citation_in_c_that_leads_somewhere_passes() -> None:
    assert wrong_citations("a.h", "/* spec fnet\n * 7.1 */\nint spec_of(int x);\n", MADE_UP) == []


def test_sections_and_rows_are_read_from_a_page(tmp_path: Path) -> None:
    page = "# Title\n\n## 7 Training\n\n### 7.1 Settings, 2 stages\n\n| # | what |\n|---|---|\n| S3 | loss |\n"
    (tmp_path / "fnet.md").write_text(page, encoding="utf-8")
    assert pages_in(tmp_path) == {"fnet": ({"7", "7.1"}, {"S3"})}
