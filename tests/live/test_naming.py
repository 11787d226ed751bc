"""What names of sources and targets mean."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.errors import InputError, UsageError
from polyfuse.live.naming import PROTOCOLS, check_target, parse_source, without_secrets

WORDS = st.text("abcxyzXYZ019-_.", min_size=4, max_size=12)


@pytest.mark.parametrize("scheme", PROTOCOLS)
def test_address_may_open_nothing_but_its_own_protocols(scheme: str) -> None:
    name = parse_source(f"{scheme.upper()}://10.0.0.2:8554/live")
    assert (name.kind, name.url) == ("address", f"{scheme}://10.0.0.2:8554/live")
    assert "file" not in name.protocols.split(",")
    assert scheme in name.protocols.split(",")


@given(user=WORDS, word=WORDS, key=WORDS)
def test_secrets_of_an_address_are_not_shown(user: str, word: str, key: str) -> None:
    name = parse_source(f"rtsp://u.{user}:p.{word}@cam:554/live?key=k.{key}")
    assert name.shown == "rtsp://cam:554/live"
    assert f"p.{word}" in name.url


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cameras are read on Linux alone")
def test_number_is_a_camera() -> None:
    name = parse_source("00")
    assert (name.kind, name.url, name.format, name.shown) == ("camera", "/dev/video0", "v4l2", "camera 0 (/dev/video0)")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cameras are read on Linux alone")
def test_device_takes_options() -> None:
    name = parse_source("/dev/video3", {"video_size": "1280x720"})
    assert (name.kind, name.options) == ("camera", {"video_size": "1280x720"})


def test_options_of_the_user_go_over_ours() -> None:
    assert parse_source("rtsp://h/x", {"rtsp_transport": "udp"}).options["rtsp_transport"] == "udp"


def test_path_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.touch()
    assert parse_source(str(path)).kind == "file"


@pytest.mark.parametrize("text", ["", "ftp://host/x.mp4", "file:///etc/passwd", "concat://a|b"])
def test_other_addresses_and_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_source(text)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.mkv"):
        parse_source(str(tmp_path / "nowhere.mkv"))


def test_options_for_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").touch()
    with pytest.raises(UsageError, match="without options"):
        parse_source(str(tmp_path / "a.mkv"), {"framerate": "30"})


@pytest.mark.parametrize(
    ("text", "scheme"), [("out.mkv", None), ("udp://127.0.0.1:5000", "udp"), ("RTSP://h/x", "rtsp")]
)
def test_target_is_a_path_or_an_address(text: str, scheme: str | None) -> None:
    assert check_target(text) == scheme


def test_nothing_is_sent_to_http() -> None:
    with pytest.raises(UsageError, match="http://h/x"):
        check_target("http://u:secret@h/x")


def test_address_without_secrets_stays() -> None:
    assert without_secrets("udp://127.0.0.1:5000") == "udp://127.0.0.1:5000"
