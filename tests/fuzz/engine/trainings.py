"""The corpus of weights, recipes, packs and checkpoints."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch

from polyfuse import fuse, load
from polyfuse.data.batches import Batches, CropConfig
from polyfuse.data.layouts import PairSet
from polyfuse.data.pack import MAGIC, Pack, write_pack
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet.official import fnet_key_map, to_official
from polyfuse.io import Pair, write_picture
from polyfuse.registry import FAMILIES, import_checkpoint
from polyfuse.registry.trained import load_frozen, training_of
from polyfuse.train import check_recipe, load_recipe
from polyfuse.train.checkpoint import load_checkpoint, save_checkpoint
from polyfuse.train.recipe import Recipe
from polyfuse.train.state import RunState
from polyfuse.weights.store import WeightsInfo, content_sha256, save_weights
from tests.fuzz.engine.document_changes import (
    change_header,
    change_json,
    change_stored,
    change_tree,
    change_words,
    to_json,
    to_toml,
)
from tests.fuzz.engine.pictures import scene
from tests.fuzz.engine.raw_changes import RAW
from tests.fuzz.engine.seeds import Seed

SMALLEST: dict[str, dict[str, Any]] = {
    "fnet": {"coder": {"channels": 2, "kernel_size": 3, "iterations": 2}},
    "fnet-t": {},
    "smfnet": {"channels": 8, "heads": 2, "base_blocks": 1, "depth": 1},
    "daefuse": {"size": "tiny"},
    "pyrfuse": {"levels": 3, "channels": 2, "context": 1},
}
"""Options of the smallest network of each family."""
SMALLEST_CROP = {"pyrfuse": 32}
"""Side of the crops of families whose losses need more than 8 pixels."""
_PREAMBLE = struct.Struct("<8sQQ")


def recipe_of(family: str) -> dict[str, Any]:
    """A recipe of a family as plain values: all of its stages, all groups of keys."""
    side = SMALLEST_CROP.get(family, 8)
    kinds = ["fusion"] if family in ("fnet-t", "pyrfuse") else ["reconstruction", "fusion"]
    return {
        "name": f"{family}.test", "family": family, "model": SMALLEST[family], "seed": 3, "ema": 0.9,
        "data": {"train": ["x.pack"], "luma": "full", "batch": 2, "crop": {"size": side, "twin": 0, "min_range": 0.1}},
        "stages": [
            {
                "kind": kind, "steps": 6, "losses": {"brightness": 0.5} if kind == "fusion" else {},
                "crop": {"min_contrast": 0.1},
                "optimiser": {"rate": 1e-3, "schedule": "cosine", "warmup": 2, "clip": 1.0, "betas": [0.9, 0.99]},
            }
            for kind in kinds
        ],
        "rhythm": {"log_every": 2, "validate_every": 3, "validation_crop": max(16, side), "checkpoint_minutes": 1.5},
    }  # fmt: skip


def change_tensors(rng: Random, content: bytes) -> bytes:
    """Change values of tensors, to NaN and huge ones too, with the checksum made right again."""
    from safetensors.torch import load as load_tensors
    from safetensors.torch import save

    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tensors, words = load_tensors(content), json.loads(header["__metadata__"]["polyfuse"])
    for _ in range(rng.choice((1, 1, 3))):
        name = rng.choice(sorted(tensors))
        how = rng.random()
        if how < 0.5:
            value = rng.choice((float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e20, 0.0, 1e-40))
            flat = tensors[name].flatten()
            if flat.is_floating_point():
                flat[rng.randrange(flat.numel()) if flat.numel() and rng.random() < 0.5 else slice(None)] = value
            tensors[name] = flat.reshape(tensors[name].shape)
        elif how < 0.7:
            kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int8, torch.bool, torch.uint8)
            tensors[name] = tensors[name].to(rng.choice(kinds))
        elif how < 0.85:
            tensors[f"{name}{rng.choice(('', 'x', '.0'))}"] = tensors.pop(name).reshape(-1)
        else:
            tensors[name] = torch.zeros(rng.choice(((), (0,), (1, 1, 1), (3, 0, 2), (5000,))))
    words["content_sha256"] = content_sha256(tensors)
    return save(tensors, metadata={"polyfuse": to_json(words)})


def weights() -> list[Seed]:
    """The smallest weights of each family, with random values."""

    def read(path: str, rng: Random, family: str) -> bool:
        model = load(rng.choice(("auto", family)), weights=path)
        fuse(scene(), scene(3), model=model)
        return True

    seeds = []
    changes = (
        change_tensors,
        change_tensors,
        change_stored(change_words),
        change_stored(change_words),
        change_stored(change_header),
    )
    for family in SMALLEST:
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            model = training_of(family).build(_recipe(family))["fuser"]
        path = Path(f"{family}.safetensors")
        info = WeightsInfo(f"{family}.test", family, model.configuration(), source="a test", licence="none")  # type: ignore[operator]
        save_weights(path, model.state_dict(), info)
        seeds.append(Seed(family, "weights.safetensors", path.read_bytes(), partial(read, family=family), changes))
        path.unlink()
    return seeds


def _recipe(family: str, path: str = "recipe.toml") -> Recipe:
    """The recipe of a family, by way of a file."""
    Path(path).write_text(to_toml(recipe_of(family)), encoding="utf-8")
    recipe = load_recipe(path)
    Path(path).unlink()
    return recipe


def recipes() -> list[Seed]:
    """A recipe of each family, as TOML and as the JSON of a run folder."""

    def read(path: str, rng: Random) -> bool:
        check_recipe(load_recipe(path))
        return True

    seeds = []
    for family in FAMILIES:
        if family in SMALLEST:
            plain = recipe_of(family)
            del plain["data"]["train"]  # absolute paths would differ from one machine to the next
            if family == "fnet-t":
                plain["model"] = {}

            def change(rng: Random, content: bytes, plain: dict[str, Any] = plain) -> bytes:
                return to_toml(change_tree(rng, plain)).encode("utf-8", "surrogatepass")

            seeds.append(Seed(f"{family}, TOML", "recipe.toml", to_toml(plain).encode(), read, (change, change)))
            seeds.append(Seed(f"{family}, JSON", "recipe.json", json.dumps(plain).encode(), read, (change_json,) * 2))
    return seeds


def make_pack(path: str) -> None:
    """Write a pack of two pairs of 16x12."""
    pairs = []
    for index in range(2):
        for name, channels in (("a", 1), ("b", 3)):
            write_picture(f"{name}{index}.png", scene(channels) // (index + 1))
        pairs.append(Pair(str(index), Path(f"a{index}.png"), Path(f"b{index}.png")))
    write_pack(Path(path), [PairSet("noise", "train", tuple(pairs))], luma_b="full")
    for pair in pairs:
        pair.a.unlink()
        pair.b.unlink()


def change_pack(rng: Random, content: bytes) -> bytes:
    """Change the header or the planes of a pack; its offsets are right again, the hash too where that can be done."""
    _, offset, length = _PREAMBLE.unpack(content[: _PREAMBLE.size])
    planes, header = content[_PREAMBLE.size : offset], json.loads(content[offset : offset + length])
    if rng.random() < 0.7:
        header = change_tree(rng, header)
    else:
        planes = rng.choice(RAW)(rng, planes)
        header["sha256"] = hashlib.sha256(planes).hexdigest()
    text = to_json(header).encode()
    return _PREAMBLE.pack(MAGIC, _PREAMBLE.size + len(planes), len(text)) + planes + text


def packs() -> list[Seed]:
    """A pack of two pairs."""

    def read(path: str, rng: Random) -> bool:
        pack = Pack(Path(path))
        for index in range(len(pack.items)):
            pack.planes(index)
        Batches([pack], CropConfig(size=8), 2, 0).get(rng.randrange(5))
        return True

    make_pack("x.pack")
    return [Seed("pack", "x.pack", Path("x.pack").read_bytes(), read, (change_pack,))]


def _saved(values: Any) -> bytes:
    """What `torch.save` makes of values."""
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()


def checkpoints() -> list[Seed]:
    """A checkpoint of a training in its second stage, and one of the published layout of FNet."""
    recipe = _recipe("fnet")

    def new_state() -> RunState:
        return RunState(training_of("fnet"), recipe, ["0" * 64], torch.device("cpu"), load_frozen)

    def read(path: str, rng: Random) -> bool:
        notes: list[str] = []
        load_checkpoint(Path(path).parent, notes.append, new_state().load_dict)
        return not notes

    def change(rng: Random, content: bytes) -> bytes:
        saved = content[:-32]
        values = torch.load(io.BytesIO(saved), weights_only=True)
        saved = _saved(change_tree(rng, values)) if rng.random() < 0.8 else rng.choice(RAW)(rng, saved)
        return saved + hashlib.sha256(saved).digest()

    state = new_state()
    state.stage_index, state.stage_step = 1, 3
    state.enter_stage()
    save_checkpoint(Path("run"), state.to_dict())
    newest = Path("run/checkpoint.pt")
    seeds = [Seed("of a training", str(newest), newest.read_bytes(), read, (change, change))]
    newest.unlink()

    def read_published(path: str, rng: Random) -> bool:
        import_checkpoint("fnet", Path(path), Path("out/imported.safetensors"))
        return True

    def change_published(rng: Random, content: bytes) -> bytes:
        values = dict(torch.load(io.BytesIO(content), weights_only=True))
        name = rng.choice(sorted(values))
        if rng.random() < 0.3:
            values[name] = values[name] * rng.choice((float("nan"), float("inf"), 1e30))
        else:
            values = change_tree(rng, values)
        return _saved(values)

    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        published = _saved(to_official(FNet().state_dict(), fnet_key_map()))
    seeds.append(Seed("published", "fnet.pt", published, read_published, (change_published,)))
    return seeds
