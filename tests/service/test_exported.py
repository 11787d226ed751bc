"""Exported models behind an address, with PyTorch and without."""

import hashlib
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from polyfuse import cli, registry
from tests.service.conftest import BOUNDARY, Client, File, form

pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from polyfuse.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported pyramid."""
    from polyfuse.exporting import export_onnx

    return export_onnx(registry.load("laplacian"), tmp_path_factory.mktemp("exported") / "pyramid.onnx").path


def written_by_fuse(pair: dict[str, Path], model: Path, folder: Path) -> bytes:
    """What the command makes of it."""
    out = folder / "fused.png"
    assert cli.run(["fuse", str(pair["a"]), str(pair["b"]), "--model", str(model), "-o", str(out), "--quiet"]) == 0
    return out.read_bytes()


def test_an_answer_is_the_file_of_the_command(
    started: Callable[..., Client], pair: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    service = started((str(model), "average"))
    answer = service.post("/fuse", dict[str, File](pair))
    assert answer.status == 200
    assert answer.body == written_by_fuse(pair, model, tmp_path)
    exported, plain = service.get("/models").json["models"]
    assert (exported["name"], exported["engine"], exported["device"]) == ("laplacian", "onnx", "cpu")
    assert exported["exported_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (plain["name"], plain["engine"]) == ("average", "torch")
    assert "exported_sha256" not in plain


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--device", "cuda"], 2, "--device cannot change an exported model"),
        (["--precision", "bf16"], 2, "onnxruntime computes as the file says"),
        (["--model", "laplacian"], 2, "--model names laplacian twice"),
        (["--model", "absent.onnx"], 3, "absent.onnx"),
    ],
    ids=["device", "precision", "twice", "absent"],
)
def test_what_cannot_be_is_told_in_one_line(
    options: list[str], code: int, line: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["serve", "--model", str(model), "--port", "0", "--quiet", *options]) == code
    told = capsys.readouterr().err.strip()
    assert line in told
    assert "\n" not in told


def test_it_serves_without_torch_and_says_what_needs_it(pair: dict[str, Path], model: Path, tmp_path: Path) -> None:
    wanted = written_by_fuse(pair, model, tmp_path)
    program = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_TORCH, "serve", "--model", model, "--port", "0", "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        port = int(program.stdout.readline().rstrip("/\n").rpartition(":")[2])

        def post(path: str, files: dict[str, Path]) -> tuple[int, bytes]:
            kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("POST", path, form(files, {}), kind)
                answer = connection.getresponse()
                return answer.status, answer.read()

        assert post("/fuse", pair) == (200, wanted)
        status, body = post("/evaluate", {**pair, "fused": pair["a"]})
        assert (status, json.loads(body)["error"].partition(",")[0]) == (501, "this needs PyTorch")
        program.send_signal(signal.SIGTERM)
        _, log = program.communicate(timeout=20)
        assert program.returncode == -signal.SIGTERM
        assert not [line for line in log.splitlines() if '"fault"' in line]
    finally:
        program.kill()
