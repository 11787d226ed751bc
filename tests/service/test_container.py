"""The steps of `deploy/Dockerfile`, followed in a fresh tree: there is no Docker where these tests run.

What needs root is passed over: `apt-get` (the compiler is that of this machine) and `useradd`. Packages come from the
environment of the tests, so pip needs no network. The service then runs by the image's entry point, and its health
check is run as the image's.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

TOKEN = "0123456789abcdef"
SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
PASSED_OVER = ("apt-get ", "useradd ")


def instructions(repository: Path) -> list[tuple[str, str]]:
    """Name and rest of each line of the Dockerfile."""
    lines = (repository / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line and not line.startswith("#")]


def test_image_has_its_own_user_and_no_way_in_without_a_token(repository: Path) -> None:
    steps = instructions(repository)
    names = [name for name, _ in steps]
    user = next(rest for name, rest in steps if name == "USER")
    assert user.isdigit()
    assert int(user) > 0
    assert any(name == "RUN" and f"--uid {user} " in rest for name, rest in steps)
    assert names.index("USER") > len(names) - 1 - names[::-1].index("FROM")  # that of the image, not of its build
    assert not any("TOKEN" in rest for name, rest in steps if name in ("ENV", "ARG", "ENTRYPOINT"))
    assert "--host" in json.loads(next(rest for name, rest in steps if name == "ENTRYPOINT"))


@pytest.mark.slow
def test_steps_of_the_image_give_a_service_that_answers(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
    places = {"/src/": f"{tmp_path}/src/", "/opt/": f"{tmp_path}/opt/"}

    def here(text: str) -> str:
        return re.sub(r"(?<![\w.])/(?:src|opt)/", lambda match: places[match[0]], text)

    copy = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info", ".*_cache", "build")
    for name in ("src", "tests", "docs", "tools", "ci", "deploy"):
        shutil.copytree(repository / name, copy / name, ignore=ignored)
    for path in repository.glob("*"):
        if path.is_file():
            shutil.copy(path, copy)
    run([sys.executable, "-c", SDIST, str(copy / "dist")], cwd=copy)
    (tmp_path / "src").mkdir()
    environment = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "TORCH": "torch", **clean()}
    for name, rest in instructions(repository):
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                for path in copy.glob(source):
                    shutil.copy(path, tmp_path / "src")
        elif name == "RUN" and not rest.startswith(PASSED_OVER):
            run(["sh", "-c", here(rest)], cwd=tmp_path, env=environment)
            if "-m venv" in rest:  # pip finds the packages of this environment as if it had fetched them
                site = next((tmp_path / "opt" / "polyfuse" / "lib").glob("python*/site-packages"))
                others = tmp_path / "others"  # all of them but polyfuse itself
                others.mkdir()
                for path in Path(sysconfig.get_path("purelib")).iterdir():
                    if not path.name.startswith("polyfuse"):
                        (others / path.name).symlink_to(path)
                first = f"import sys; sys.path.insert(0, {str(others)!r})\n"
                (site / "here.pth").write_text(first, encoding="utf-8")
    python = tmp_path / "opt" / "polyfuse" / "bin" / "python"
    where = run([str(python), "-c", "import polyfuse; print(polyfuse.__file__)"], cwd=tmp_path, env=clean())
    assert where.startswith(str(tmp_path / "opt"))
    check_service(repository, tmp_path, here)


def check_service(repository: Path, tmp_path: Path, here: Callable[[str], str]) -> None:
    """Start the entry point, and run the health check."""
    steps = dict(instructions(repository))
    port = free_port()
    entry = [here(word) for word in json.loads(steps["ENTRYPOINT"])]
    entry[entry.index("8000")] = str(port)
    health = json.loads(steps["HEALTHCHECK"].split("CMD ", 1)[1])
    health = [here(word).replace(":8000", f":{port}") for word in health]
    environment = {**clean(), "POLYFUSE_TOKEN": TOKEN, "TMPDIR": str(tmp_path)}
    program = subprocess.Popen(
        [*entry, "--model", "average"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        end = time.monotonic() + 120
        while subprocess.run(health, env=clean(), capture_output=True, check=False).returncode != 0:
            assert program.poll() is None
            assert time.monotonic() < end
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=60)
    finally:
        program.kill()
        program.communicate()
    assert program.returncode == 143, errors
    assert subprocess.run(health, env=clean(), capture_output=True, check=False).returncode != 0


def run(command: list[str], **how: object) -> str:
    """Run a step; it must succeed."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    assert ran.returncode == 0, f"{command}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    return str(ran.stdout)


def clean() -> dict[str, str]:
    """The environment without what would lead Python to another copy of polyfuse."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "POLYFUSE"))}


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
