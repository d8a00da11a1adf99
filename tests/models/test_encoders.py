"""Texts as vectors: by words against the definition, by a sentence model against PyTorch's own layers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from serendip.domain import Invalid, NotFound
from serendip.models.encoders import WordEncoder
from serendip.models.neural.torch import torch_is_here
from serendip.models.sentences import SentenceEncoder, WordPieces, words_of
from serendip.sources.sentence_folder import safetensors, sentence_folder

TEXTS = ["green tea kettle", "tea kettle steel", "running shoes", "shoes and socks", "tea"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "kettle", "##s", "run", "##ning", "!", "cafe", "茶"]
SIZE, WIDE, HEADS, LAYERS = 8, 16, 2, 2


def test_words_in_every_direction_keep_the_cosines_of_tfidf():
    rng = np.random.default_rng(0)
    encoder = WordEncoder.fit(TEXTS, 64, rng)
    assert encoder.size == 5
    vectors = encoder.encode([*TEXTS, "TEA!", "zebra", ""])
    # tea is in 3 of 5 texts, kettle in 2, green in 1: 1 + ln(6 / (1 + n)) each.
    tea, kettle, green = 1 + np.log(6 / 4), 1 + np.log(6 / 3), 1 + np.log(6 / 2)
    first = np.array([tea, kettle, green]) / np.sqrt(tea**2 + kettle**2 + green**2)
    assert vectors[0] @ vectors[1] == pytest.approx(first[0] ** 2 + first[1] ** 2, abs=1e-5), (
        "steel is as rare as green"
    )
    assert vectors[0] @ vectors[2] == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(vectors[5], vectors[4], atol=1e-6)
    assert not vectors[6:].any(), "nothing that is known"
    again = WordEncoder.restore(encoder.arrays())
    np.testing.assert_array_equal(again.encode(TEXTS), vectors[:5])
    with pytest.raises(Invalid, match="no text holds a word"):
        WordEncoder.fit(["!", ""], 4, rng)


def test_texts_are_cut_as_uncased_bert_cuts_them():
    pieces = WordPieces({piece: row for row, piece in enumerate(PIECES)})
    assert words_of("Café  KETTLES!\u200b 茶x") == ["cafe", "kettles", "!", "茶", "x"]
    assert [PIECES[row] for row in pieces.cut("Café kettles running 茶tea zebra!", 20)] == [
        "[CLS]", "cafe", "kettle", "##s", "run", "##ning", "茶", "tea", "[UNK]", "!", "[SEP]",
    ]  # fmt: skip
    assert len(pieces.cut("tea " * 99, 10)) == 10
    assert pieces.cut("", 10) == [2, 3]


def weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    found = {
        f"embeddings.{name}_embeddings.weight": (n, SIZE)
        for name, n in (("word", len(PIECES)), ("position", 32), ("token_type", 2))
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{n}." for n in range(LAYERS)):
        for name, shape in (
            *((f"attention.self.{one}", (SIZE, SIZE)) for one in ("query", "key", "value")),
            ("attention.output.dense", (SIZE, SIZE)),
            ("intermediate.dense", (WIDE, SIZE)),
            ("output.dense", (SIZE, WIDE)),
        ):
            found |= {f"{layer}{name}.weight": shape, f"{layer}{name}.bias": shape[:1]}
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    found |= {f"{name}.{part}": (SIZE,) for name in norms for part in ("weight", "bias")}
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in found.items()}


def write(folder: Path, arrays: dict[str, np.ndarray], **config: object) -> None:
    folder.mkdir(exist_ok=True)
    header, content = {}, b""
    for name, array in arrays.items():
        offsets = [len(content), len(content) + array.nbytes]
        header[f"bert.{name}"] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        content += array.tobytes()
    told = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(told).to_bytes(8, "little") + told + content)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    usual = {"model_type": "bert", "hidden_act": "gelu", "max_position_embeddings": 32}
    usual |= {"num_attention_heads": HEADS, "num_hidden_layers": LAYERS}
    (folder / "config.json").write_text(json.dumps({**usual, **config}))


@pytest.mark.skipif(not torch_is_here(), reason="the extra neural is not installed")
def test_a_sentence_model_read_from_its_folder_says_what_pytorchs_own_layers_say(tmp_path: Path):
    import torch
    from torch import nn

    made = weights(np.random.default_rng(1))
    write(tmp_path, made)
    found = sentence_folder(tmp_path)
    pieces = WordPieces({piece: row for row, piece in enumerate(found.pieces)})
    encoder = SentenceEncoder(pieces, found.weights, LAYERS, HEADS, found.most)
    texts = ["tea", "kettles running! tea tea", "zebra kettle"]
    ours = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, rtol=1e-6)
    as_torch = {name: torch.from_numpy(array) for name, array in made.items()}
    for text, vector in zip(texts, ours, strict=True):
        rows = torch.tensor(encoder.pieces.cut(text, 32))
        x = as_torch["embeddings.word_embeddings.weight"][rows]
        x = x + as_torch["embeddings.position_embeddings.weight"][: len(rows)]
        x = x + as_torch["embeddings.token_type_embeddings.weight"][0]
        norm = [as_torch[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")]
        x = nn.functional.layer_norm(x, (SIZE,), *norm, eps=1e-12)[None]
        for n in range(LAYERS):
            layer = nn.TransformerEncoderLayer(SIZE, HEADS, WIDE, 0.0, "gelu", 1e-12, batch_first=True).eval()
            own = {
                name.removeprefix(f"encoder.layer.{n}."): one for name, one in as_torch.items() if f"layer.{n}." in name
            }
            joined = {
                f"self_attn.in_proj_{part}": torch.cat(
                    [own[f"attention.self.{one}.{part}"] for one in ("query", "key", "value")]
                )
                for part in ("weight", "bias")
            }
            names = {
                "self_attn.out_proj": "attention.output.dense",
                "linear1": "intermediate.dense",
                "linear2": "output.dense",
                "norm1": "attention.output.LayerNorm",
                "norm2": "output.LayerNorm",
            }
            for theirs, name in names.items():
                joined |= {f"{theirs}.{part}": own[f"{name}.{part}"] for part in ("weight", "bias")}
            layer.load_state_dict({**layer.state_dict(), **joined})
            with torch.no_grad():
                x = layer(x)
        wanted = x[0].mean(dim=0).numpy()
        np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=2e-5)


def test_a_folder_that_holds_no_such_model_is_refused_in_one_sentence(tmp_path: Path):
    made = weights(np.random.default_rng(1))
    with pytest.raises(NotFound, match=r"no config\.json"):
        sentence_folder(tmp_path)
    write(tmp_path, made, model_type="gpt2")
    with pytest.raises(Invalid, match="type bert"):
        sentence_folder(tmp_path)
    write(tmp_path, made)
    whole = (tmp_path / "model.safetensors").read_bytes()
    for broken in (whole[:100], whole[:-40], b"", b"\xff" * 100, whole[:8] + b"x" + whole[9:]):
        (tmp_path / "model.safetensors").write_bytes(broken)
        with pytest.raises(Invalid):
            safetensors(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes((7).to_bytes(8, "little") + b"[1,2,3]")
    with pytest.raises(Invalid, match="no safetensors file"):
        sentence_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole)
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="no text in UTF-8"):
        sentence_folder(tmp_path)
    (tmp_path / "vocab.txt").write_text("[CLS]\n[SEP]\n[UNK]\n")
    with pytest.raises(Invalid, match="do not belong together"):
        sentence_folder(tmp_path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_attention_heads": "many"}, "lack a number"),
        ({"max_position_embeddings": None}, "lack a number"),
        ({"num_attention_heads": 3}, "of which no such model is made"),
        ({"num_hidden_layers": 5}, r"wants encoder\.layer\.2.*there is nothing"),
        ({"max_position_embeddings": 512}, r"position_embeddings.*of shape \(512, 8\)"),
    ],
)
def test_settings_that_speak_of_another_model_than_the_arrays_are_refused(tmp_path: Path, config: dict, said: str):
    write(tmp_path, weights(np.random.default_rng(1)), **config)
    with pytest.raises(Invalid, match=said):
        sentence_folder(tmp_path)


def test_arrays_that_are_missing_cut_or_no_numbers_are_refused_before_a_text_is_read(tmp_path: Path):
    norm, last = "embeddings.LayerNorm.weight", "encoder.layer.0.output.dense.weight"
    made = weights(np.random.default_rng(1))
    for broken, said in (
        ({name: one for name, one in made.items() if name != norm}, "there is nothing"),
        ({**made, last: made[last][:3]}, r"an array of shape \(3, 16\)"),
        ({**made, norm: made[norm] * np.nan}, "not finite"),
    ):
        write(tmp_path, broken)
        with pytest.raises(Invalid, match=said):
            sentence_folder(tmp_path)
