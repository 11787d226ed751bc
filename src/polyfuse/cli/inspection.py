"""What `polyfuse data inspect` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WIDTH = 16
"""Columns of the names."""


def lines_of(contents: Mapping[str, Any]) -> Iterator[str]:
    """One line for each thing that a file holds, from `polyfuse.radiometric.contents`."""
    yield _line("file", f"{contents['path']}, {contents['kind']}")
    if picture := contents.get("picture"):
        kind = "grey" if picture["channels"] == 1 else "colour"
        width, height = picture["size"]
        yield _line("picture", f"{picture['format']}, {width}x{height}, {kind}, {picture['dtype']}")
        low, high = picture["values"]
        used = f", {picture['bits_used']} of 16 bits used" if "bits_used" in picture else ""
        yield _line("values", f"{low:g} to {high:g}{used}")
        for note in picture["notes"]:
            yield _line("note", note)
    if thermal := contents.get("thermal"):
        yield from _thermal_lines(thermal)
    if window := contents.get("window"):
        low, high = window
        in_degrees = (contents.get("thermal") or {}).get("unit") == "degrees Celsius"
        option = f"--range {low:.1f}C,{high:.1f}C" if in_degrees else f"--range {low:g},{high:g}"
        yield _line("window", f"{option} (percentiles 0.5 and 99.5)")
    for note in contents.get("notes", []):
        yield _line("note", note)
    if warp := contents.get("warp"):
        (scale, _, right), (_, _, down), _ = warp["matrix"]
        yield _line("warp", f"{warp['found']}: thermal times {scale:.3f}, then {right:+.1f},{down:+.1f} pixels")


def lines_of_volume(contents: Mapping[str, Any]) -> Iterator[str]:
    """The same of a volume, from `polyfuse.volumes.contents`."""
    volume = contents["volume"]
    yield _line("file", f"{contents['path']}, volume, {volume['format']}")
    shape, spacing = ("x".join(f"{side:.4g}" for side in volume[key]) for key in ("shape", "spacing"))
    yield _line(
        "voxels", f"{shape} of {spacing} mm, towards {volume['orientation']}, fused in {volume['slices']} slices"
    )
    if "values" not in volume:
        yield _line("values", "colour, 8 bits")
    else:
        low, high = volume["values"]
        yield _line("values", f"{low:.4g} to {high:.4g} {volume['unit']}")
        low, high = contents["window"]
        yield _line("window", f"{low:.4g} to {high:.4g} {volume['unit']} ({contents['window_of']})")
    yield _line("modality", volume["modality"] or "not known: neither the file nor its name says it")
    for note in volume["notes"]:
        yield _line("note", note)


def _thermal_lines(thermal: Mapping[str, Any]) -> Iterator[str]:
    """What the thermal part of a file holds."""
    width, height = thermal["size"]
    frames = f"{thermal['frames']} frames of " if "frames" in thermal else ""
    layout = f", {thermal['maker']} layout" if "maker" in thermal else ""
    yield _line("thermal", f"{frames}{width}x{height}{layout}, {thermal['unit']}")
    if camera := thermal.get("camera"):
        words = [str(camera[key]) for key in ("maker", "model", "taken") if key in camera]
        yield _line("camera", ", ".join([*words, *(["GPS position"] if camera.get("position") else [])]))
    if raw := thermal.get("raw"):
        yield _line("raw counts", f"{raw[0]} to {raw[1]}")
    if celsius := thermal.get("celsius"):
        yield _line("temperature", f"{celsius[0]:.2f} to {celsius[1]:.2f} degrees Celsius")
    if constants := thermal.get("calibration"):
        yield _line(
            "told",
            f"emissivity {constants['emissivity']:.3g}, distance {constants['distance']:.3g} m, "
            f"reflected {constants['reflected'] - 273.15:.1f} C, air {constants['air'] - 273.15:.1f} C, "
            f"humidity {100 * constants['humidity']:.0f} %{_before(constants)}",
        )
        yield _line(
            "Planck", ", ".join(f"{name.upper()} {constants[name]:.7g}" for name in ("r1", "b", "f", "o", "r2"))
        )
    if visible := thermal.get("visible"):
        yield _line("visible", f"{visible[0]}x{visible[1]}")


def _before(constants: Mapping[str, float]) -> str:
    """The window before the camera, where it was told of one."""
    if constants["window_transmission"] == 1:
        return ""
    return (
        f", window {constants['window'] - 273.15:.1f} C letting {100 * constants['window_transmission']:.0f} % through"
    )


def _line(name: str, text: str) -> str:
    return f"{name:<{_WIDTH}}{text}"
