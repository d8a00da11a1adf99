"""Training of the network that says how an item suits an asker from features of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from serendip.data import Floats, ItemRows
from serendip.models.neural.examples import Examples, Past, features_of
from serendip.models.neural.stopping import Best, converged
from serendip.models.neural.torch import generator, training

FEW = 10
"""With fewer held-out examples of either sort nothing is held out, and every epoch is trained."""


@dataclass(frozen=True)
class Plan:
    """How the network is made and trained; the names are those of the config."""

    hidden: tuple[int, ...]
    n_factors: int
    dropout: float
    regularization: float
    learning_rate: float
    n_epochs: int
    patience: int
    batch_size: int


@dataclass(frozen=True)
class Sides:
    """Where the features of both sides come from."""

    content: Floats
    """(n_items, size)."""
    items: Floats
    """All features of items, (n_items, n_features); the last is ``popularity`` where it is learnt from."""
    counts: Floats | None
    past: Past
    split: bool
    """What was rated below is pooled apart."""

    def of(self, asked: Examples) -> tuple[Floats, Floats]:
        """The features of both sides of examples; an event is not in the count of its own item."""
        items = self.items[asked.item_ix]
        if self.counts is not None:
            items[:, -1] = popularity(self.counts, asked.item_ix, asked.met)
        return features_of(self.content, self.past, asked, self.split), items


def popularity(counts: Floats, item_ix: ItemRows | slice = slice(None), own: Any = 0) -> Floats:
    """ln(1 + events) of items as part of the most, (n,); ``own`` (n,) of them left out."""
    return np.asarray(np.log1p(np.maximum(counts[item_ix] - own, 0)) / np.log1p(max(counts.max(), 1)), np.float32)


def train_network(
    plan: Plan,
    sides: Sides,
    drawn: Callable[[], Examples],
    held_out: Examples,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Parameters of the epoch with the best AUC on ``held_out``, or of the last where too few are held out.

    ``drawn`` gives the examples of an epoch, in random order. The network, of x asker's and y item's features:

        h_1 = relu(x A + y B + b_1), h_l+1 = relu(h_l W_l + b_l+1), score = h w + (x P)'(y Q) + c
    """
    with training("mlp") as torch:
        seeded = generator(torch, rng)
        wide = sides.of(held_out.take(np.arange(0)))
        weights = _begun(torch, seeded, plan, wide[0].shape[1], sides.items.shape[1])
        moved = torch.optim.AdamW(weights.values(), plan.learning_rate, weight_decay=plan.regularization)
        best = Best("mlp", plan.n_epochs, plan.patience)
        judged = min(held_out.liked.sum(), (1 - held_out.liked).sum()) >= FEW
        for epoch in range(plan.n_epochs):
            examples, losses = drawn(), []
            for start in range(0, len(examples), plan.batch_size):
                some = examples.take(np.arange(start, min(start + plan.batch_size, len(examples))))
                x, y = (torch.from_numpy(side) for side in sides.of(some))
                scores = _scores(torch, weights, x, y, plan.dropout, seeded)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, torch.from_numpy(some.liked))
                moved.zero_grad()
                loss.backward()
                moved.step()
                losses.append(float(loss.detach()))
            measure = _auc_of(torch, weights, sides, held_out, plan.batch_size) if judged else float(epoch)
            if best.enough(epoch, float(np.mean(losses)) if losses else 0.0, measure, lambda: _copied(weights)):
                break
        return converged("mlp", best.arrays)


def _begun(torch: Any, seeded: Any, plan: Plan, n_asker: int, n_item: int) -> dict[str, Any]:
    """Parameters before the first epoch, drawn as He et al. 2015 say for rectified units."""

    def drawn(*shape: int, gain: float) -> Any:
        return (torch.randn(*shape, generator=seeded) * gain).requires_grad_()

    first, n_both = plan.hidden[0], max(n_asker + n_item, 1)
    out = {
        "asker": drawn(n_asker, first, gain=(2 / n_both) ** 0.5),
        "item": drawn(n_item, first, gain=(2 / n_both) ** 0.5),
        "asker_factors": drawn(n_asker, plan.n_factors, gain=n_both**-0.5),
        "item_factors": drawn(n_item, plan.n_factors, gain=n_both**-0.5),
        "last": drawn(plan.hidden[-1], gain=plan.hidden[-1] ** -0.5),
        "constant": torch.zeros(1, requires_grad=True),
    }
    for place, n_out in enumerate(plan.hidden):
        out[f"bias.{place}"] = torch.zeros(n_out, requires_grad=True)
        if place:
            n_in = plan.hidden[place - 1]
            out[f"layer.{place}"] = drawn(n_in, n_out, gain=(2 / n_in) ** 0.5)
    return out


def _scores(torch: Any, weights: dict[str, Any], x: Any, y: Any, dropout: float = 0.0, seeded: Any = None) -> Any:
    """The score of each pair of rows of x (n, n_asker) and y (n, n_item), shape (n,)."""
    h = torch.relu(x @ weights["asker"] + y @ weights["item"] + weights["bias.0"])
    for place in range(1, sum(name.startswith("bias.") for name in weights)):
        h = torch.relu(_dropped(torch, h, dropout, seeded) @ weights[f"layer.{place}"] + weights[f"bias.{place}"])
    both = (x @ weights["asker_factors"]) * (y @ weights["item_factors"])
    return _dropped(torch, h, dropout, seeded) @ weights["last"] + both.sum(1) + weights["constant"]


def _dropped(torch: Any, h: Any, dropout: float, seeded: Any) -> Any:
    if not dropout:
        return h
    return h * (torch.rand(h.shape, generator=seeded) >= dropout) / (1 - dropout)


def _auc_of(torch: Any, weights: dict[str, Any], sides: Sides, asked: Examples, batch_size: int) -> float:
    scores = []
    with torch.no_grad():
        for start in range(0, len(asked), batch_size):
            some = asked.take(np.arange(start, min(start + batch_size, len(asked))))
            x, y = (torch.from_numpy(side) for side in sides.of(some))
            scores.append(_scores(torch, weights, x, y).numpy())
    return auc(np.concatenate(scores), asked.liked > 0)


def auc(scores: Floats, liked: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """The chance that one that was liked scores above one that was not; equal scores count half."""
    kinds, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n_liked = int(liked.sum())
    above = rank[liked].sum() - n_liked * (n_liked + 1) / 2
    assert len(kinds)
    return float(above / (n_liked * (len(scores) - n_liked)))


def _copied(weights: dict[str, Any]) -> dict[str, Floats]:
    return {name: one.detach().numpy().copy() for name, one in weights.items()}
