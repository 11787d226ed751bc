"""Runs of two sources: clips in real time, over HTTP, stalled, cut off, changed, and not there."""

import socket
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.errors import InputError, OutputError
from polyfuse.fusion import FuseOptions
from polyfuse.live.outputs import EncodedOutput, make_target

av = pytest.importorskip("av")

Live = Callable[..., Any]
Clips = tuple[Path, Path]


def test_clips_are_fused_frame_by_frame_in_real_time(live: Live, clips: Clips) -> None:
    ran = live(*clips)
    # 8 frames, 7 periods of 40 ms; some may be dropped on a machine that is busy.
    assert len(ran.frames) >= 5
    assert ran.seconds > 0.28
    assert ran.run.to_json([])["skew_ms"]["max"] == 0
    assert [capture.state for capture in ran.run.captures] == ["ended", "ended"]


def test_clip_goes_round(live: Live, clips: Clips) -> None:
    ran = live(*clips, loop=True, most=12)
    steps = np.diff([frame.taken for frame in ran.frames])
    assert len(ran.frames) == 12
    # Times go on over the seam by whole periods, as many as were dropped on a busy machine.
    np.testing.assert_allclose(steps / 0.04, np.rint(steps / 0.04), atol=0.05)  # stamps of MKV are milliseconds
    assert steps.min() > 0.03


def test_swapped_sources_change_places(live: Live, clips: Clips) -> None:
    ran = live(*clips, fuse=FuseOptions(swap=True), most=1)
    assert ran.run.captures[0].name.url == str(clips[1])


def test_duration_ends_a_run(live: Live, clips: Clips) -> None:
    ran = live(*clips, duration=0.1)
    assert 1 <= len(ran.frames) <= 5


def test_result_is_a_clip_with_the_times_of_b(live: Live, clips: Clips, tmp_path: Path) -> None:
    output = EncodedOutput(make_target(str(tmp_path / "out.mkv"), None), Fraction(25))
    ran = live(*clips, outputs=(output,))
    output.close()
    assert output.is_complete
    with av.open(str(tmp_path / "out.mkv")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    expected = [frame.seconds for frame in ran.frames]
    if not output.num_dropped:
        np.testing.assert_allclose(times, expected, atol=0.0015)  # written in whole milliseconds


def test_served_clips_are_played_in_real_time(live: Live, clips: Clips, served: Any) -> None:
    for path in clips:
        served.files[path.name] = path.read_bytes()
    ran = live(served.url("ir.mkv"), served.url("vi.mkv"))
    assert len(ran.frames) >= 5
    assert ran.seconds > 0.28
    assert not ran.told or all("http" not in line for line in ran.told)


def test_source_that_stalls_ends_the_run_in_time(live: Live, make_clip: Any, tmp_path: Path, served: Any) -> None:
    data = make_clip(tmp_path / "ir.ts", 60, size=(160, 120)).read_bytes()
    served.files["ir.ts"], served.stall_after["ir.ts"] = data, len(data) // 2
    # As a sender that runs on: without a length it is no recording.
    served.pauses["ir.ts"] = 0.002
    visible = make_clip(tmp_path / "vi.mkv", 100, size=(160, 120), seed=1)
    with pytest.raises(InputError, match=r"ir\.ts does not answer"):
        live(served.url("ir.ts"), visible, timeout=0.4, max_skew=10.0)


def test_frozen_source_is_not_fused_with_a_running_one(live: Live, make_clip: Any, tmp_path: Path, served: Any) -> None:
    data = make_clip(tmp_path / "ir.ts", 60, size=(160, 120)).read_bytes()
    served.files["ir.ts"], served.stall_after["ir.ts"], served.pauses["ir.ts"] = data, len(data) // 2, 0.001
    visible = make_clip(tmp_path / "vi.mkv", 25, size=(160, 120), seed=1)
    ran = live(served.url("ir.ts"), visible, timeout=5.0, max_skew=0.15)
    drops = ran.run.pairing.drops
    assert drops.unmatched > 3
    assert ran.run.statistics.skew.largest <= 150


def test_source_that_is_cut_off_is_connected_to_again(live: Live, make_clip: Any, tmp_path: Path, served: Any) -> None:
    data = make_clip(tmp_path / "ir.ts", 40, size=(160, 120)).read_bytes()
    served.files["ir.ts"], served.kill_after["ir.ts"], served.pauses["ir.ts"] = data, [len(data) // 3], 0.002
    visible = make_clip(tmp_path / "vi.mkv", 75, size=(160, 120), seed=1)
    told: list[str] = []
    live(
        served.url("ir.ts"), visible, reconnect=5.0, max_skew=10.0, told=told, until=lambda: "is back" in " ".join(told)
    )
    assert len(served.requests) >= 2
    assert any("trying again" in line for line in told)
    assert any("is back" in line for line in told)


def test_source_that_is_gone_for_good_is_an_error_of_its_address(
    live: Live, make_clip: Any, tmp_path: Path, served: Any
) -> None:
    data = make_clip(tmp_path / "ir.ts", 40, size=(160, 120)).read_bytes()
    served.files["ir.ts"], served.kill_after["ir.ts"], served.pauses["ir.ts"] = data, [len(data) // 3], 0.001
    visible = make_clip(tmp_path / "vi.mkv", 75, size=(160, 120), seed=1)
    with pytest.raises(InputError, match=r"ir\.ts"):
        live(served.url("ir.ts"), visible)


def test_size_that_changes_midway_is_told_with_the_time(live: Live, make_clip: Any, tmp_path: Path) -> None:
    parts = [make_clip(tmp_path / f"{side}.ts", 8, size=(side, side)).read_bytes() for side in (64, 96)]
    changing = tmp_path / "ir.ts"
    changing.write_bytes(b"".join(parts))
    visible = make_clip(tmp_path / "vi.mkv", 20, size=(64, 64), seed=1)
    with pytest.raises(InputError, match=r"after 0\.\d s the size of a source changed: a is 96x96 but b is 64x64"):
        live(changing, visible)


def test_clip_ends_complete_where_the_size_changes(live: Live, make_clip: Any, tmp_path: Path) -> None:
    parts = [make_clip(tmp_path / f"{side}.ts", 8, size=(side, side)).read_bytes() for side in (64, 96)]
    changing = tmp_path / "vi.ts"
    changing.write_bytes(b"".join(parts))
    infrared = make_clip(tmp_path / "ir.mkv", 20, size=(64, 64), seed=1)
    output = EncodedOutput(make_target(str(tmp_path / "out.mkv"), None), Fraction(25))
    with pytest.raises(InputError, match=r"changes from 64x64 to 96x96 after"):
        live(infrared, changing, outputs=(output,), fuse=FuseOptions(resize="a"))
    output.close()
    assert output.is_complete
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(list(container.decode(video=0))) >= 5


def test_address_that_does_not_answer_is_given_up_in_time(live: Live, clips: Clips) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(InputError, match=rf"http://127\.0\.0\.1:{port}/x does not answer"):
            live(f"http://me:secret@127.0.0.1:{port}/x?key=secret", clips[1], timeout=0.3)
        assert time.monotonic() - began < 5  # of 0.3: the machine may be busy


def test_address_with_nothing_behind_it_says_why(live: Live, clips: Clips, served: Any) -> None:
    with pytest.raises(InputError, match=r"x\.mp4 cannot be read \(.*\): check the address") as caught:
        live(served.url("x.mp4"), clips[1])
    assert "secret" not in str(caught.value)


def test_source_without_a_frame_that_can_be_decoded_is_given_up(
    live: Live, make_clip: Any, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_clip(tmp_path / "ir.ts", 60, size=(160, 120)).read_bytes()
    for name in ("ir.ts", "vi.ts"):
        served.files[name], served.pauses[name] = data, 0.003
    monkeypatch.setattr("polyfuse.live.frames._decoded", lambda _: [])
    with pytest.raises(InputError, match=r"(ir|vi)\.ts sends no frame that can be decoded"):
        live(served.url("ir.ts"), served.url("vi.ts"), timeout=0.1)


def test_page_that_is_no_video_is_refused(live: Live, clips: Clips, served: Any) -> None:
    served.files["page"] = b"<html>sign in</html>" * 100
    with pytest.raises(InputError, match="page cannot be read"):
        live(served.url("page"), clips[1])


def test_address_does_not_lead_to_files_of_this_machine(live: Live, clips: Clips, served: Any) -> None:
    served.files["list.m3u8"] = f"#EXTM3U\n#EXTINF:1,\nfile://{clips[0]}\n#EXT-X-ENDLIST\n".encode()
    with pytest.raises(InputError, match=r"list\.m3u8 cannot be read"):
        live(served.url("list.m3u8"), clips[1])


def test_nobody_at_the_other_end_is_an_output_error(live: Live, clips: Clips) -> None:
    output = EncodedOutput(make_target("rtsp://127.0.0.1:9/live", "rtsp"), Fraction(25))
    with pytest.raises(OutputError, match=r"rtsp://127\.0\.0\.1:9/live cannot be written"):
        live(*clips, outputs=(output,), loop=True)


def test_fused_frames_are_sent_to_an_address(live: Live, make_clip: Any, tmp_path: Path) -> None:
    a, b = make_clip(tmp_path / "ir.mkv", 40, size=(160, 120)), make_clip(tmp_path / "vi.mkv", 40, (160, 120), 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    seen: list[tuple[int, int]] = []

    def receive() -> None:
        with av.open(f"udp://127.0.0.1:{port}", timeout=(5.0, 5.0), options={"analyzeduration": "200000"}) as container:
            frame = next(container.decode(video=0))
            seen.append((frame.width, frame.height))

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    output = EncodedOutput(make_target(f"udp://127.0.0.1:{port}", "udp"), Fraction(25))
    live(a, b, outputs=(output,), until=lambda: bool(seen))
    output.close()
    thread.join(6)
    assert seen == [(160, 120)]
