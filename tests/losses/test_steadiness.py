"""Steadiness: nothing where the scene is the same, the change where it is not, and no word of the border."""

import torch

from polyfuse.losses.steadiness import RIM, steadiness

SIDE, MOVED = 2 * RIM + 12, 3


def frames() -> torch.Tensor:
    """Two scenes, each as a frame and the next, which is cut further to the right."""
    scenes = torch.rand(2, 1, SIDE, SIDE + MOVED, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.stack([scenes[..., :SIDE], scenes[..., MOVED:]], dim=1).flatten(0, 1)


def test_a_camera_that_pans_over_a_still_scene_costs_nothing() -> None:
    assert steadiness(frames(), MOVED) == 0
    assert steadiness(frames(), MOVED - 1) > 0.1


def test_it_is_the_mean_change_of_the_middle_alone() -> None:
    given = frames()
    given[1::2] += 0.25
    given[..., :RIM, :] = given[..., -RIM:, :] = given[..., :, :RIM] = given[..., :, -RIM:] = 7
    torch.testing.assert_close(steadiness(given, MOVED).item(), 0.25, rtol=1e-12, atol=0)


def test_gradient_reaches_both_frames() -> None:
    given = (frames() + torch.linspace(0, 0.1, 4, dtype=torch.float64)[:, None, None, None]).requires_grad_()
    steadiness(given, MOVED).backward()
    assert given.grad is not None
    assert (given.grad.abs().sum(dim=(1, 2, 3)) > 0).all()
