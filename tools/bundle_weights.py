"""Put trained weights into the box: copy them into the package, state their licence, enter them in the manifest.

    python tools/bundle_weights.py runs/fnet.road/best.safetensors "infrared and visible, the default"

The card, `src/polyfuse/weights/NAME.md`, is written by hand.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from polyfuse.weights.store import load_weights, save_weights

BOX = Path(__file__).parents[1] / "src/polyfuse/weights"
LICENCE = (
    "Apache-2.0 for what is ours; the training pictures are research data whose sources state no licence, see the card"
)


def bundle(path: Path, summary: str) -> Path:
    """Copy the weights of `path` under their own name and return the copy."""
    tensors, info, _ = load_weights(path)
    copy = BOX / f"{info.name}.safetensors"
    save_weights(copy, tensors, replace(info, licence=LICENCE), overwrite=True)
    manifest = json.loads((BOX / "manifest.json").read_text("utf-8"))
    manifest["weights"][info.name] = {
        "family": info.family,
        "file": copy.name,
        "sha256": hashlib.sha256(copy.read_bytes()).hexdigest(),
        "summary": summary,
    }
    manifest["weights"] = dict(sorted(manifest["weights"].items()))
    (BOX / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    return copy


if __name__ == "__main__":
    print(bundle(Path(sys.argv[1]), sys.argv[2]))
