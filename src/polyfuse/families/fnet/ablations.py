"""The fifteen ablations AE1 to AE15 of FNet as named configurations (spec fnet 9).

AE11 and AE13 to AE15 change the training alone, AE12 changes IFNet alone; the others change the coder of both networks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from polyfuse.families.fnet.coder import CoderConfig
from polyfuse.families.fnet.inverse import IFNetConfig
from polyfuse.families.fnet.network import FNetConfig


@dataclass(frozen=True)
class Ablation:
    """One row of the ablation study: everything that differs from the published setting."""

    summary: str
    """What is changed, in a few words."""
    coder: CoderConfig = field(default_factory=CoderConfig)
    """Coder of FNet."""
    inverse_coder: CoderConfig | None = None
    """Coder of IFNet where it differs from FNet's."""
    stages: tuple[Literal["reconstruction", "fusion"], ...] = ("reconstruction", "fusion")
    """Training stages that are run."""
    dropped_loss: Literal["intensity", "gradient", "ssim"] | None = None
    """Term left out of the stage II loss."""

    @property
    def fnet(self) -> FNetConfig:
        """Configuration of the fusion network."""
        return FNetConfig(coder=self.coder)

    @property
    def ifnet(self) -> IFNetConfig:
        """Configuration of the inverse network."""
        return IFNetConfig(coder=self.inverse_coder or self.coder)


ABLATIONS: dict[str, Ablation] = {
    "AE1": Ablation("LCSC blocks: soft threshold, no momentum", CoderConfig(coder="lcsc", threshold="soft")),
    "AE2": Ablation("soft threshold in both networks", CoderConfig(threshold="soft")),
    "AE3": Ablation("convolutions shared by all iterations", CoderConfig(share_convs=True)),
    "AE4": Ablation("no momentum", CoderConfig(momentum="none")),
    "AE5": Ablation("Polyak momentum", CoderConfig(momentum="polyak")),
    "AE6": Ablation("quasi-hyperbolic momentum", CoderConfig(momentum="qhm")),
    "AE7": Ablation("steeper threshold, gamma 200", CoderConfig(steepness=200.0)),  # ours: value lost in the paper
    "AE8": Ablation("less shrinkage, alpha 0.01", CoderConfig(shrink=0.01)),  # ours: value lost in the paper
    "AE9": Ablation("3 iterations", CoderConfig(iterations=3)),
    "AE10": Ablation("5 iterations", CoderConfig(iterations=5)),
    "AE11": Ablation("no stage I", stages=("fusion",)),
    "AE12": Ablation("soft threshold in IFNet", inverse_coder=CoderConfig(threshold="soft")),
    "AE13": Ablation("no intensity term", dropped_loss="intensity"),
    "AE14": Ablation("no gradient term", dropped_loss="gradient"),
    "AE15": Ablation("no SSIM term", dropped_loss="ssim"),
}
