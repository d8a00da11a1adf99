"""A sentence model as published: a folder with config.json, vocab.txt and model.safetensors; nothing in it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serendip.domain import Invalid, NotFound

FILES = ("config.json", "vocab.txt", "model.safetensors")
TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I64": np.dtype("<i8")}
MOST_HEADER = 100 << 20


class SentenceFolder(NamedTuple):
    """What a folder holds."""

    pieces: list[str]
    """The vocabulary, a piece a line."""
    weights: dict[str, NDArray[np.float32]]
    n_layers: int
    n_heads: int
    most: int
    """Pieces of a text that its makers looked at."""
    epsilon: float
    """Added to the variance of a norm."""


def sentence_folder(folder: Path) -> SentenceFolder:
    """The model in ``folder``, as far as it is a BERT with a mean over its pieces."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise NotFound(
            f"there is no {' and no '.join(missing)} in {folder}; name the folder of a sentence model such as "
            "all-MiniLM-L6-v2, as it is published"
        )
    config = _json(folder / "config.json")
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise Invalid(
            f"{folder}/config.json says model_type {config.get('model_type')!r} with {config.get('hidden_act')!r}; "
            "models of type bert with gelu can be read"
        )
    told = _json(folder / "sentence_bert_config.json") if (folder / "sentence_bert_config.json").is_file() else {}
    try:
        n_layers, n_heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        most = min(int(told.get("max_seq_length") or 512), int(config["max_position_embeddings"]))
        epsilon = float(config.get("layer_norm_eps", 1e-12))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"{folder}: its settings lack a number, or have another thing there: {error}") from None
    cutting = _json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    if cutting.get("do_lower_case", True) is not True:
        raise Invalid(f"{folder} tells capital letters from small ones; models that do not can be read")
    try:
        pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    except ValueError as error:
        raise Invalid(f"{folder}/vocab.txt is no text in UTF-8: {error}; fetch it again") from None
    while pieces and not pieces[-1]:
        pieces.pop()
    weights = {
        name.removeprefix("bert."): array.astype(np.float32)
        for name, array in safetensors(folder / "model.safetensors").items()
        if array.dtype.kind == "f"
    }
    words = weights.get("embeddings.word_embeddings.weight")
    if words is None or len(words) != len(pieces) or not {"[CLS]", "[SEP]", "[UNK]"} <= set(pieces):
        raise Invalid(f"{folder}: vocab.txt and model.safetensors do not belong together; fetch the model again")
    _check_shapes(folder, weights, n_layers, n_heads, most)
    return SentenceFolder(pieces, weights, n_layers, n_heads, most, epsilon)


def _check_shapes(
    folder: Path, weights: dict[str, NDArray[np.float32]], n_layers: int, n_heads: int, most: int
) -> None:
    """Refuse a folder whose settings speak of other arrays than it holds, or whose arrays are no numbers."""
    size = weights["embeddings.word_embeddings.weight"].shape[-1]
    inner = weights.get("encoder.layer.0.intermediate.dense.weight")
    wide = 0 if inner is None else len(inner)
    if n_layers < 1 or n_heads < 1 or size % n_heads or most < 3:
        raise Invalid(
            f"{folder}/config.json says {n_layers} layers of {n_heads} heads over {size} numbers and {most} places, "
            "of which no such model is made; fetch the model again"
        )
    wanted: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}_embeddings.weight": (n, size) for name, n in (("position", most), ("token_type", 1))
    }
    linear: dict[str, tuple[int, ...]] = {f"attention.self.{name}": (size, size) for name in ("query", "key", "value")}
    linear |= {
        "attention.output.dense": (size, size),
        "intermediate.dense": (wide, size),
        "output.dense": (size, wide),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{n}." for n in range(n_layers)):
        for name, shape in linear.items():
            wanted |= {f"{layer}{name}.weight": shape, f"{layer}{name}.bias": shape[:1]}
        norms += [f"{layer}{name}.LayerNorm" for name in ("attention.output", "output")]
    wanted |= {f"{name}.{part}": (size,) for name in norms for part in ("weight", "bias")}
    for name, shape in wanted.items():
        found = weights.get(name)
        # Of places and types there may be more than are looked at.
        fits = (
            found is not None
            and found.shape[1:] == shape[1:]
            and (
                found.shape[0] == shape[0]
                or (name.startswith("embeddings.") and found.ndim == 2 and len(found) > shape[0])
            )
        )
        if not fits:
            held = "nothing" if found is None else f"an array of shape {found.shape}"
            raise Invalid(f"{folder}: config.json wants {name} of shape {shape}, and there is {held}; fetch it again")
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise Invalid(f"{folder}/model.safetensors holds a number that is not finite; fetch it again")


def safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file in the format safetensors: the length of a JSON header, the header, then plain numbers."""
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    size = int.from_bytes(content[:8].tobytes(), "little")
    if len(content) < 8 or not 0 < size <= min(MOST_HEADER, len(content) - 8):
        raise Invalid(f"{path} is no safetensors file, or it was cut short; fetch it again")
    try:
        header = json.loads(content[8 : 8 + size].tobytes())
        found = {}
        for name, one in header.items():
            if name == "__metadata__":
                continue
            first, last = one["data_offsets"]
            numbers = content[8 + size + first : 8 + size + last].view(TYPES[one["dtype"]])
            found[name] = numbers.reshape(one["shape"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"{path} is no safetensors file that can be read: {error}; fetch it again") from None
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Invalid(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Invalid(f"{path} holds no JSON object")
    return found
