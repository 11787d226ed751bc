"""What `polyfuse align` says of a warp that it found, or did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyfuse.alignment.vote import Finding

PARALLAX = 0.15
"""Share of places off by more than a plane explains from which it is told."""


def told(finding: Finding, off: dict[str, Any], *, by_hand: bool) -> list[str]:
    """Lines that say what was found."""
    warp = finding.warp
    lines = [f"{warp.kind} by {warp.found}, {warp.scale:.3f} pixels of b for one of a"]
    if not by_hand:
        lines[0] += f", confidence {warp.confidence:.2f}"
    if warp.residual is not None:
        lines[0] += f", residual {warp.residual:.2f} pixels of b"
    if len(finding.votes) > 1:
        details = warp.details
        lines.append(
            f"{details['pairs_agreeing']} of {details['pairs']} pairs agree, each by itself, "
            f"{details['pairs_sure']} of them sure; their warps lie {details['pairs_apart']} pixels apart"
        )
    if warp.kind == "homography-radial":
        lines.append(f"radial terms of the lenses: {warp.radial_a:+.3f} of a, {warp.radial_b:+.3f} of b")
    elif "lenses" in warp.details:
        lines.append(f"no radial terms of lenses: {warp.details['lenses']['why']}")
    elif "flatness" in warp.details:
        lines.append(
            "no radial terms of lenses: the board is as flat without them, or in fewer than 3 pictures, or in their "
            "middle alone"
        )
    flow = warp.details.get("flow")
    if flow is not None and flow["kept"]:
        lines.append(
            f"flow of up to {flow['longest']:.1f} pixels of b: places were {flow['median_off_before']:.1f} off and are "
            f"{flow['median_off_after']:.1f} (median); it fits scenes with the same things near and far"
        )
    elif flow is not None:
        why = "too little can be compared" if flow["median_off_before"] is None else "it would bring a and b no closer"
        lines.append(f"no flow is added: {why}")
    if warp.details.get("covers_little"):
        lines.append("the board covers little of b: the rest of the picture may be off, give more pictures of it")
    if off["places"] and off["share_off"] > PARALLAX:
        share = f"{100 * off['share_off']:.0f} % of the places are off by more than"
        if by_hand:
            lines.append(f"{share} 3 pixels of 640: a spot is wrong, or it is parallax; look at --picture")
        else:
            lines.append(f"parallax: {share} a plane explains: look at --picture, or pass --flow")
    return lines


def in_words(facts: dict[str, Any]) -> str:
    """A line of --check."""
    if not facts["places"]:
        return f"confidence {facts['confidence']:.2f}, nothing to compare"
    x, y = facts["shift"]
    return (
        f"confidence {facts['confidence']:.2f}, off by {facts['median']:.1f} pixels (median), "
        f"{facts['90_percent']:.1f} (90 %), shift {x:+.1f} {y:+.1f}, {facts['places']} places"
    )


def refusal(finding: Finding) -> str:
    """Why a warp is not written, and what would help."""
    blocks = finding.warp.details.get("blocks", 0)
    sure = f"no warp is sure enough (confidence {finding.warp.confidence or 0.0:.2f})"
    if blocks < 40 * len(finding.votes):
        return f"{sure}, the pictures share few edges: take them where more can be seen, or pass --points"
    return (
        f"{sure}: check that both show one scene at one time, give several pairs of the fixed cameras as two folders, "
        "or pass --points"
    )
