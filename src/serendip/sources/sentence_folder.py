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
    config: dict[str, Any]
    most: int
    """Pieces of a text that its makers looked at."""


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
    most = min(int(told.get("max_seq_length") or 512), int(config["max_position_embeddings"]))
    cutting = _json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    if cutting.get("do_lower_case", True) is not True:
        raise Invalid(f"{folder} tells capital letters from small ones; models that do not can be read")
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
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
    return SentenceFolder(pieces, weights, config, most)


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
    except (ValueError, KeyError, TypeError) as error:
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
