"""Vectors of what items are called and described as: made once a text, kept by what the text says."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from serendip.data import Floats
from serendip.domain import Invalid, NotReady
from serendip.models.encoders import TextEncoder, WordEncoder
from serendip.models.sentences import SentenceEncoder, WordPieces
from serendip.sources.sentence_folder import FILES, sentence_folder
from serendip.store import Store

Progress = Callable[[int, int], None]

AT_ONCE = 2048
"""Texts that are encoded before what was done is kept."""
TEXT_SIZE = 64
"""Numbers of a vector of words, unless told otherwise."""


@dataclass(frozen=True)
class VectorsMade:
    """What became of the items' texts."""

    name: str
    """What the store calls the vectors."""
    encoder: str
    """The model that made them, as the cache calls it."""
    size: int
    items: int
    without_words: int
    """Items that are called nothing and described by nothing; they have no vector."""
    from_cache: int
    """Texts whose vectors were there already."""
    made: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def make_vectors(
    store: Store,
    name: str,
    cache: Path,
    model: Path | None = None,
    size: int = TEXT_SIZE,
    refit: bool = False,
    progress: Progress = lambda _d, _t: None,
) -> VectorsMade:
    """Vectors of every item's title and text, kept in the store as ``name``.

    By the sentence model in the folder ``model``; without one by words: an encoder that is learnt from these items at
    first (or with ``refit``), and used for later ones as it is. What the folder ``cache`` holds of a text is not made
    again.
    """
    texts = texts_of(store)
    if not texts:
        raise Invalid("no item has a title or a text; import items first, or say which columns hold them")
    said, encoder = encoder_of(list(texts.values()), cache, model, size, refit)
    kept = VectorCache(cache / said, encoder.size)
    known = kept.known
    missing = sorted({key for text in texts.values() if (key := hash_of(text)) not in known})
    by_key = {hash_of(text): text for text in texts.values()}
    for start in range(0, len(missing), AT_ONCE):
        progress(start, len(missing))
        some = missing[start : start + AT_ONCE]
        kept.add(some, encoder.encode([by_key[key] for key in some]))
    progress(len(missing), len(missing))
    vectors = kept.of([hash_of(text) for text in texts.values()])
    store.load_vectors(name, pl.DataFrame({"item": list(texts), "vector": vectors}))
    total = store.counts().items
    return VectorsMade(
        name, said, encoder.size, len(texts), total - len(texts), len(by_key) - len(missing), len(missing)
    )


def texts_of(store: Store) -> dict[str, str]:
    """What each item is called and described as, by id; items of which nothing is told are left out."""
    rows = store.item_attributes().select("id", "title", "text").iter_rows()
    told = {item: ". ".join(part for part in (title, text) if part) for item, title, text in rows}
    return {item: text for item, text in told.items() if text.strip()}


def hash_of(text: str) -> str:
    """What a text is kept under."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def encoder_of(
    texts: Sequence[str], cache: Path, model: Path | None, size: int, refit: bool
) -> tuple[str, TextEncoder]:
    """The encoder, and what the cache calls it: another name whenever it would make other vectors."""
    if model is not None:
        found = sentence_folder(model)
        digest = hashlib.blake2b(digest_size=6)
        for file in FILES:
            digest.update(file.encode() + str((model / file).stat().st_size).encode())
        digest.update(np.ascontiguousarray(found.weights["embeddings.LayerNorm.weight"]).tobytes())
        pieces = WordPieces({piece: row for row, piece in enumerate(found.pieces)})
        encoder = SentenceEncoder(pieces, found.weights, found.n_layers, found.n_heads, found.most, found.epsilon)
        return f"sentences-{digest.hexdigest()}", encoder
    folder = cache / f"words-{size}"
    if (folder / "encoder").is_dir() and not refit:
        words = _kept_encoder(folder / "encoder")
    else:
        words = WordEncoder.fit(texts, size, np.random.default_rng(0))
        _keep_encoder(folder, words)
    digest = hashlib.blake2b(np.ascontiguousarray(words.turn).tobytes(), digest_size=6)
    return f"words-{size}-{digest.hexdigest()}", words


def _kept_encoder(folder: Path) -> WordEncoder:
    """What ``_keep_encoder`` wrote."""
    try:
        return WordEncoder.restore({file.stem: np.load(file) for file in folder.glob("*.npy")})
    except (OSError, ValueError, KeyError) as error:
        raise Invalid(f"{folder} holds no encoder that can be read ({error}); learn one anew with --refit") from None


def _keep_encoder(folder: Path, words: WordEncoder) -> None:
    """The encoder's arrays in a folder that is there whole or not at all."""
    draft = folder.with_name(f".{folder.name}-{os.getpid()}")
    try:
        (draft / "encoder").mkdir(parents=True, exist_ok=True)
        for name, array in words.arrays().items():
            np.save(draft / "encoder" / f"{name}.npy", array)
        if folder.exists():
            folder.rename(draft / "old")
        folder.mkdir()
        (draft / "encoder").rename(folder / "encoder")
    except OSError as error:
        raise NotReady(f"the cache {folder.parent} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class VectorCache:
    """Vectors by the hash of what was said, in Parquet files ``hash``, ``vector`` of one folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self._vectors: dict[str, Floats] = {}
        for file in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
            self._vectors |= read_vectors(file, "hash", size)

    @property
    def known(self) -> Mapping[str, Floats]:
        """Every vector by its hash."""
        return self._vectors

    def of(self, keys: Sequence[str]) -> list[list[float]]:
        """The vectors of these hashes."""
        return [self._vectors[key].tolist() for key in keys]

    def add(self, keys: Sequence[str], vectors: Floats) -> None:
        """Keep these too, in a file of their own, before anybody uses them."""
        frame = pl.DataFrame({"hash": list(keys), "vector": [row.tolist() for row in vectors]})
        write_vectors(frame, self.folder / f"{hash_of(''.join(keys))}.parquet")
        self._vectors |= dict(zip(keys, vectors, strict=True))


def read_vectors(file: Path, key: str, size: int | None = None) -> dict[str, Floats]:
    """The vectors of a Parquet file by its column ``key``; all of one length, finite."""
    try:
        frame = pl.read_parquet(file, columns=[key, "vector"])
        with np.errstate(over="ignore"):
            rows = np.array(frame["vector"].to_list(), np.float32).reshape(frame.height, -1 if frame.height else 0)
    except (OSError, pl.exceptions.PolarsError, ValueError, TypeError) as error:
        raise Invalid(f"{file} is no Parquet file with {key} and vector, lists of equal length: {error}") from None
    if size is not None and frame.height and rows.shape[1] != size:
        raise Invalid(f"the vectors of {file} have {rows.shape[1]} numbers, not {size}; remove it from the cache")
    if not np.isfinite(rows).all():
        raise Invalid(f"{file} holds a vector with a number that is not finite; mend it, or remove the file")
    return dict(zip(frame[key].to_list(), rows, strict=True))


def write_vectors(frame: pl.DataFrame, file: Path) -> None:
    """Write ``frame`` as Parquet; an older file is replaced only when that is done."""
    draft = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(draft)
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise NotReady(f"{file} could not be written: {error.strerror or error}") from None


def export_vectors(store: Store, name: str, file: Path) -> int:
    """Write the store's vectors called ``name`` as rows of item and vector; how many there are."""
    if file.suffix != ".parquet":
        raise Invalid(f"{file} does not end in .parquet; vectors are written as Parquet", field="to")
    owners, numbers = store.vectors(name)
    if not len(owners):
        raise Invalid(f"the store has no vectors called {name!r}; `serendip vectors make {name}` makes some")
    keys, ids = store.item_ids()
    id_of = dict(zip(keys.tolist(), ids, strict=True))
    there = [place for place, key in enumerate(owners.tolist()) if key in id_of]
    items = [id_of[int(owners[place])] for place in there]
    write_vectors(pl.DataFrame({"item": items, "vector": numbers[there].tolist()}), file)
    return len(there)


def import_vectors(store: Store, name: str, file: Path) -> int:
    """Keep the rows of item and vector of a Parquet file as ``name``; how many there are."""
    found = read_vectors(file, "item")
    if any(not isinstance(item, str) or not item for item in found):
        raise Invalid(f"{file}: the column item holds something that is no id; write ids as text")
    if found:
        vectors = [row.tolist() for row in found.values()]
        store.load_vectors(name, pl.DataFrame({"item": list(found), "vector": vectors}))
    return len(found)
