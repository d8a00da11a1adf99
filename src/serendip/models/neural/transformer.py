"""A causal transformer over items: made, trained with PyTorch, and answered by numpy.

Parameters are plain arrays by name; a layer's have the layer as their first axis. Before each half of a layer stands
its norm (pre-norm), the places are learned, and the items' vectors both go in and are what comes out is held against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from serendip.data import Floats
from serendip.models.neural.lists import Lists, runs

Parameters = dict[str, Floats]
"""Arrays by name, as ``made`` names them."""

EPSILON = 1e-5
"""Added to the variance of a norm."""


class Shape(NamedTuple):
    """What decides the sizes of the parameters."""

    n_items: int
    max_length: int
    n_factors: int
    n_layers: int
    n_heads: int
    widening: int
    """The inner layer of a position's own half is so many times ``n_factors``."""


def made(shape: Shape, rng: np.random.Generator) -> Parameters:
    """Parameters before the first step."""
    k, n, wide = shape.n_factors, shape.n_layers, shape.n_factors * shape.widening

    def normal(*size: int, sigma: float) -> Floats:
        return (sigma * rng.standard_normal(size, np.float32)).astype(np.float32)

    return {
        "items": normal(shape.n_items, k, sigma=k**-0.5),
        "places": normal(shape.max_length, k, sigma=0.1),
        "norm_met": np.ones((n, k), np.float32),
        "ask": normal(n, k, 3 * k, sigma=k**-0.5),
        "tell": normal(n, k, k, sigma=(2 * n * k) ** -0.5),
        "norm_own": np.ones((n, k), np.float32),
        "widen": normal(n, k, 2 * wide, sigma=k**-0.5),
        "narrow": normal(n, wide, k, sigma=(2 * n * wide) ** -0.5),
        "norm_last": np.ones(k, np.float32),
    }


def learn(torch: Any, p: dict[str, Any], n_heads: int, lists: Lists, drop: Callable[[Any], Any], ins: Any) -> Any:
    """What comes out at every event of ``lists``, shortest first: (n_events, n_factors), of PyTorch.

    p: the parameters as tensors. ins: the items' vectors, (n_events, n_factors). drop: drops parts at random.
    """
    f = torch.nn.functional
    groups = list(runs(lists.sizes))
    k = ins.shape[1]
    places = torch.cat([torch.arange(size).repeat(n) for n, size in groups])
    later = {size: torch.ones(size, size, dtype=torch.bool).triu_(1) for _, size in groups}
    x = drop(ins * k**0.5 + f.embedding(places, p["places"]))
    for layer in range(len(p["ask"])):
        asked = norm(torch, x, p["norm_met"][layer]) @ p["ask"][layer]
        met = []
        for (n, size), some in zip(groups, asked.split([n * size for n, size in groups]), strict=True):
            asks, keys, values = some.view(n, size, 3, n_heads, k // n_heads).permute(2, 0, 3, 1, 4).unbind()
            match = (asks * (k // n_heads) ** -0.5) @ keys.transpose(2, 3)
            told = match.masked_fill(later[size], -np.inf).softmax(3) @ values
            met.append(told.transpose(1, 2).reshape(n * size, k))
        x = x + drop(torch.cat(met) @ p["tell"][layer])
        gate, wide = (norm(torch, x, p["norm_own"][layer]) @ p["widen"][layer]).chunk(2, 1)
        x = x + drop((f.silu(gate) * wide) @ p["narrow"][layer])
    return norm(torch, x, p["norm_last"])


def norm(torch: Any, x: Any, scale: Any) -> Any:
    """Rows of mean square 1, times ``scale``."""
    return torch.nn.functional.rms_norm(x, scale.shape, scale, EPSILON)


def answer(p: Parameters, n_heads: int, lists: Lists) -> Floats:
    """What comes out at the last event of each list, (n_lists, n_factors); none of the lists is empty.

    ``learn`` without PyTorch and without drops. Lists of one length go through together.
    """
    order = np.argsort(lists.sizes, kind="stable")
    lists = lists.take(order)
    out = np.empty((len(order), p["items"].shape[1]), np.float32)
    first = 0
    for n, size in runs(lists.sizes):
        own = lists.item_ix[lists.indptr[first] : lists.indptr[first + n]].reshape(n, size)
        out[order[first : first + n]] = _answer_equal(p, n_heads, own)
        first += n
    return out


def _answer_equal(p: Parameters, n_heads: int, item_ix: NDArray[np.int32]) -> Floats:
    """``answer`` for lists of one length, (n, size)."""
    n, size = item_ix.shape
    k = p["items"].shape[1]
    x = (p["items"][item_ix] * np.float32(k**0.5) + p["places"][:size]).reshape(n * size, k)
    last = len(p["ask"]) - 1
    for layer in range(last + 1):
        seen = scaled(x, p["norm_met"][layer])
        if layer == last:
            # Only the last event's answer is wanted, so from here on only it asks.
            x, asking = x[size - 1 :: size], seen[size - 1 :: size]
        else:
            asking = seen
        asks = _heads(asking @ p["ask"][layer][:, :k], n, n_heads)  # (n, n_heads, n_asking, k / n_heads)
        keys, values = (_heads(seen @ p["ask"][layer][:, part * k : part * k + k], n, n_heads) for part in (1, 2))
        match = asks @ keys.swapaxes(2, 3) * np.float32((k // n_heads) ** -0.5)
        if layer != last:
            match[..., np.triu(np.ones((size, size), np.bool_), 1)] = -np.inf
        match = np.exp(match - match.max(-1, keepdims=True))
        match /= match.sum(-1, keepdims=True)
        x = x + (match @ values).swapaxes(1, 2).reshape(-1, k) @ p["tell"][layer]
        gate, wide = np.split(scaled(x, p["norm_own"][layer]) @ p["widen"][layer], 2, axis=1)
        x = x + (gate * expit(gate) * wide) @ p["narrow"][layer]
    return scaled(x, p["norm_last"])


def _heads(x: Floats, n: int, n_heads: int) -> Floats:
    """(n * size, k) as (n, n_heads, size, k / n_heads)."""
    return x.reshape(n, -1, n_heads, x.shape[1] // n_heads).swapaxes(1, 2)


def scaled(x: Floats, scale: Floats) -> Floats:
    """``norm`` without PyTorch."""
    mean_square = (x * x).mean(-1, keepdims=True, dtype=np.float32)
    return np.asarray(x / np.sqrt(mean_square + np.float32(EPSILON)) * scale)
