"""`polyfuse serve` as a program: it says where it listens, answers, and ends in order."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from polyfuse import cli
from polyfuse.io import write_picture
from polyfuse.service import Settings, serve


@pytest.mark.parametrize("package", ["uvicorn", "fastapi", "python_multipart"])
def test_a_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str
) -> None:
    for name in ("uvicorn", "fastapi", "python_multipart"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, package, None)
    assert cli.run(["serve", "--model", "average", "--port", "0", "--quiet"]) == 4
    assert "pip install 'polyfuse[serve]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--host", "0.0.0.0"], "set a token (POLYFUSE_TOKEN, or --token)"),
        (["--model", "average", "--model", "average"], "--model names average twice"),
        (["--model", "=x"], "is no model: write NAME, or NAME=WEIGHTS"),
        (["--model", "fnet"], "model fnet needs weights: pass --model fnet=FILE"),
        (["--model", "avrage"], "average"),
        (["--max-request", "much"], "is no size"),
    ],
)
def test_wrong_options_are_told_in_one_line(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
    monkeypatch.delenv("POLYFUSE_TOKEN", raising=False)
    assert cli.run(["serve", "--port", "0", "--quiet", *options]) == 2
    assert line in capsys.readouterr().err


def test_port_that_is_taken_is_told() -> None:
    pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
    from polyfuse.errors import OutputError
    from polyfuse.listening.address import LOCAL, listen

    with listen(LOCAL, 0) as taken, pytest.raises(OutputError, match="nothing can listen at"):
        serve(Settings(("average",), port=taken.getsockname()[1]), say=lambda _: None, ready=print)


@pytest.mark.slow
def test_program_serves_until_sigterm(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
    picture = write_picture(tmp_path / "a.png", np.arange(1200, dtype=np.uint8).reshape(30, 40))
    command = [sys.executable, "-m", "polyfuse", "serve", "--model", "average", "--port", "0", "--log-format", "text"]
    environment = {**os.environ, "POLYFUSE_TOKEN": "0123456789abcdef"}
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        cwd=pytestconfig.invocation_params.dir,
    )  # fmt: skip
    try:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        content = picture.read_bytes()
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.png"\r\n\r\n'.encode() + content
            for name in ("a", "b")
        ]
        headers = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": "Bearer 0123456789abcdef"}
        request = urllib.request.Request(f"{address}fuse", b"\r\n".join([*parts, b"--x--\r\n"]), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.read().startswith(b"\x89PNG")
        program.send_signal(signal.SIGTERM)
        out, errors = program.communicate(timeout=60)
    finally:
        program.kill()
        program.communicate()
    assert (program.returncode, out) == (143, "")
    lines = errors.splitlines()
    assert " POST /fuse 200 " in lines[2]
    assert "0123456789abcdef" not in errors
    assert [line.split()[1] for line in lines[3:5]] == ["stopping", "stopped"]
    assert lines[-1] == "polyfuse: interrupted by SIGTERM; what is finished stays, nothing is half-written."
