"""The parts of the service by themselves: fields, formats, names, figures, log, page."""

import io
import json
import os
import re
from dataclasses import fields
from typing import Any, get_args, get_type_hints

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.cli import evaluate as evaluate_verb
from polyfuse.cli import fuse as fuse_verb
from polyfuse.cli.volume_options import VolumeArguments
from polyfuse.errors import DependencyError, InputError, OutputError, PolyfuseError, UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.io.header import TooLargeError
from polyfuse.service import Limits, Settings
from polyfuse.service.answers import FORMATS, RefusedError, told, wanted_format
from polyfuse.service.fields import EVALUATE_FIELDS, FUSE_FIELDS, parse_fields
from polyfuse.service.figures import Figures
from polyfuse.service.journal import Journal
from polyfuse.service.page import page_html
from polyfuse.service.uploads import LONGEST_NAME, plain_name

OF_FOLDERS = {
    "match", "pair_by", "recursive", "suffix", "on_error", "resume", "verify", "overwrite", "no_sidecar", "dry_run",
    "out", "keep_temperature", "temporal", "codec", "crf", "no_sound", "quiet", "debug", "ir", "vi",
}  # fmt: skip
"""Options of `fuse` and `evaluate` that are for folders, clips or files of results."""
OF_SERVER = {"weights", "border", "config", "precision", "device", "threads", "memory", "warp"}
"""Options that are given when the service is started, or come as a file."""
OF_CLUSTERS = {"engine", "workers", "address", "shard", "merge"}
"""Options that part the work among processes and machines."""
OF_VOLUMES = {field.name for field in fields(VolumeArguments)}
"""Options for medical volumes."""
OF_REPORTS = {"named", "compare", "dataset", "form", "no_charts", "workers"}


def options(command: click.Command) -> dict[str, Any]:
    """Names in Python of the options of a command, with their defaults."""
    found = {str(one.name).rstrip("_"): one.default for one in command.params if isinstance(one, click.Option)}
    found["json"] = found.pop("as_json")
    return found


def test_fields_of_fuse_are_its_options_with_the_same_defaults() -> None:
    wanted = options(fuse_verb.command)
    fields = {field.key: field.default for field in FUSE_FIELDS}
    assert fields.keys() == wanted.keys() - OF_FOLDERS - OF_SERVER - OF_CLUSTERS - OF_VOLUMES | {"format"}
    given = {key: wanted[key] for key in fields if key != "format"}
    assert {key: value or None for key, value in given.items() if isinstance(value, str | int)} == {
        key: fields[key] or None for key, value in given.items() if isinstance(value, str | int)
    }


def test_fields_of_fuse_have_the_choices_of_its_options() -> None:
    hints = get_type_hints(FuseOptions)
    for field in FUSE_FIELDS:
        if field.choices and field.name != "format":
            hint = hints[field.key]
            choices = [text for one in (hint, *get_args(hint)) for text in get_args(one) if isinstance(text, str)]
            assert set(field.choices) == set(choices or get_args(hint))


def test_fields_of_evaluate_are_its_options() -> None:
    wanted = options(evaluate_verb.command)
    others = OF_FOLDERS | OF_SERVER | OF_REPORTS | OF_CLUSTERS | {"json"}
    assert {field.key for field in EVALUATE_FIELDS} == wanted.keys() - others


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in FUSE_FIELDS]) | st.text(max_size=8), st.text(max_size=70), max_size=6
    )
)
def test_any_field_is_parsed_or_refused_in_one_line(texts: dict[str, str]) -> None:
    try:
        keys, problem = parse_fields(texts, FUSE_FIELDS).keys(), ""
    except UsageError as error:
        keys, problem = {field.key: None for field in FUSE_FIELDS}.keys(), str(error)
    assert keys == {field.key for field in FUSE_FIELDS}
    assert problem.isprintable()
    assert len(problem) < 400


@given(st.text(max_size=300))
def test_any_name_of_a_file_becomes_a_plain_one(text: str) -> None:
    name = plain_name(text, "a")
    assert name
    assert name.isprintable()
    assert not set(name) & set("/\\")
    assert name not in (".", "..")
    assert len(os.fsencode(name)) <= LONGEST_NAME


def test_suffix_of_a_long_name_stays() -> None:
    assert plain_name("x" * 300 + ".tiff", "a").endswith(".tiff")


@pytest.mark.parametrize(
    ("accept", "named", "as_json", "expected"),
    [
        (None, None, False, ("image/png", False)),
        ("*/*", None, False, ("image/png", False)),
        ("image/*;q=0.2, image/tiff;q=0.1", None, False, ("image/png", False)),
        ("image/png;q=0, IMAGE/TIFF", None, False, ("image/tiff", False)),
        ("application/json", None, False, ("image/png", True)),
        ("application/json, image/png;q=0.5", "webp", False, ("image/webp", True)),
        ("text/html", "jpg", False, ("image/jpeg", False)),
        ("text/html", None, True, ("image/png", True)),
        ("image/tiff;q=x, image/bmp", None, False, ("image/bmp", False)),
    ],
)
def test_format_follows_field_before_header(
    accept: str | None, named: str | None, as_json: bool, expected: tuple[str, bool]
) -> None:
    assert wanted_format(accept, named, as_json=as_json) == expected


@given(st.text(max_size=60))
def test_any_header_gives_a_format_or_a_refusal(accept: str) -> None:
    try:
        outcome: str | int = wanted_format(accept, None, as_json=False)[0]
    except RefusedError as error:
        outcome = error.status
    assert outcome in (*FORMATS, 406)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 400),
        (InputError("x"), 422),
        (TooLargeError("x"), 413),
        (DependencyError("x"), 501),
        (OutputError("x"), 507),
        (MemoryError(), 413),
        (RefusedError(429, "x", {"Retry-After": "2"}), 429),
        (PolyfuseError("x"), 500),
        (ZeroDivisionError("secret"), 500),
    ],
)
def test_each_kind_of_error_has_its_status(error: Exception, status: int) -> None:
    number, line, _ = told(error)
    assert (number, "secret" in line) == (status, False)


def test_figures_are_what_prometheus_reads() -> None:
    figures = Figures()
    figures.count("/fuse", 200, {"seconds": 0.03, "bytes_in": 5, "pixels": 12, "waited": 0.5, "worked": 0.25})
    figures.count("/fuse", 422, {"seconds": 99.0, "bytes_in": 1})
    text = figures.text({"polyfuse_waiting": ("Waiting.", 3)})
    lines = text.splitlines()
    assert all(re.fullmatch(r"# (HELP|TYPE) \S+ .+|[a-z_]+(\{[^}]*\})? [0-9.e+-]+", line) for line in lines)
    for line in (
        'polyfuse_requests_total{path="/fuse",status="422"} 1',
        'polyfuse_request_seconds_bucket{path="/fuse",le="0.025"} 0',
        'polyfuse_request_seconds_bucket{path="/fuse",le="0.05"} 1',
        'polyfuse_request_seconds_bucket{path="/fuse",le="+Inf"} 2',
        "polyfuse_worked_seconds_sum 0.250000",
        "polyfuse_worked_seconds_count 1",
        "polyfuse_received_bytes_total 6",
        "polyfuse_fused_pixels_total 12",
        "polyfuse_waiting 3",
    ):
        assert line in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("form", ["json", "text"])
def test_log_has_one_line_for_a_request(form: Any) -> None:
    stream = io.StringIO()
    facts = {
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/x\n\x1b[2J",
        "status": 404,
        "seconds": 0.1,
        "error": "no\nno",
    }
    Journal(form, stream).request(facts)
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert (json.loads(line)["status"] == 404) if form == "json" else (" 404 " in line)


def test_closed_log_stops_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    Journal("text", stream).event("listening", port=1)


def test_page_shows_fields_and_runs_nothing() -> None:
    pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
    schema = {"properties": {"a<b": {"type": "string", "description": "<i>"}}, "required": ["a<b"]}
    operation = {
        "summary": "Does.", "requestBody": {"content": {"multipart/form-data": {"schema": schema}}},
        "responses": {"200": {"description": "Good."}},
    }  # fmt: skip
    info = {"title": "polyfuse", "version": "1", "description": "One.\n\n    curl x"}
    text = page_html({"info": info, "paths": {"/fuse": {"post": operation}}})
    assert "a&lt;b" in text
    assert "<pre>curl x</pre>" in text
    assert "&lt;i&gt;" in text
    assert not re.search(r"<script|<i>|https?://", text)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"host": "0.0.0.0"}, "other machines can reach 0.0.0.0: set a token"),
        ({"host": "::", "token": "short"}, "the token is too short"),
        ({"token": "ä" * 20}, "not of plain characters"),
    ],
)
def test_service_for_other_machines_needs_a_token(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        Settings(**settings)


def test_limits_are_positive() -> None:
    with pytest.raises(UsageError, match="limits of a service are positive"):
        Limits(seconds=float("nan"))


def test_token_is_not_shown() -> None:
    assert "0123456789abcdef" not in repr(Settings(token="0123456789abcdef"))
