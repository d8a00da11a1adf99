"""Training of the transformer: every event of a list is to tell the one after it from others drawn at random."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serendip.data import Floats, ItemRows
from serendip.models.neural.lists import Lists, batches
from serendip.models.neural.stopping import Best, converged
from serendip.models.neural.torch import dropping, training
from serendip.models.neural.transformer import Parameters, Shape, answer, learn, made
from serendip.models.parallel import in_chunks, one_blas_thread

log = logging.getLogger(__name__)

BLOCK = 256
"""Lists that are answered at once: always the same, so that threads change no bits."""

PLACES = 10
"""nDCG is measured over so many."""

LEAST_HELD = 10
"""With fewer held out, every epoch is taken."""

BETAS = (0.9, 0.98)
"""How long Adam remembers gradients and their squares; items are met seldom, so that .999 remembers too much."""


@dataclass(frozen=True)
class Plan:
    """How the transformer is made and trained; the names are those of the config."""

    shape: Shape
    dropout: float
    n_negatives: int
    temperature: float
    learning_rate: float
    regularization: float
    batch_size: int
    n_epochs: int
    held_out: float
    patience: int


def train(plan: Plan, lists: Lists, known: NDArray[np.bool_], rng: np.random.Generator) -> dict[str, Floats]:
    """Parameters learnt from ``lists``, whose events are all ``known`` (n_items,).

    Where enough is held out to tell, those of the best epoch; else those of the last.
    """
    lists, held = hold_out(lists, plan.held_out if plan.patience else 0.0, rng)
    runs = lists.cut(plan.shape.max_length + 1)
    runs = runs.take(np.flatnonzero(runs.sizes > 1))
    pool = np.flatnonzero(known)
    best = Best("sequence", plan.n_epochs, plan.patience)
    with training("sequence") as torch:
        p = {name: torch.from_numpy(array).requires_grad_() for name, array in made(plan.shape, rng).items()}
        arrays: Parameters = {name: tensor.detach().numpy() for name, tensor in p.items()}
        step = torch.optim.AdamW(
            p.values(), lr=plan.learning_rate, betas=BETAS, weight_decay=plan.regularization, fused=True
        )
        drop = dropping(torch, rng, plan.dropout)
        for epoch in range(plan.n_epochs):
            loss, of_epoch = 0.0, list(batches(len(runs), plan.batch_size, rng))
            for done, rows in enumerate(of_epoch):
                # The rate stands for half of the epochs, and then falls evenly to nothing.
                left = 2 - 2 * (epoch + done / len(of_epoch)) / plan.n_epochs
                step.param_groups[0]["lr"] = plan.learning_rate * min(1.0, left)
                some = runs.take(rows).by_size()
                wrong = loss_of(torch, p, plan, some, pool, drop, rng)
                step.zero_grad()
                wrong.backward()
                step.step()
                loss += float(wrong.detach()) * len(rows) / len(runs)
            if held is None:
                log.info("sequence: epoch %d of %d, loss %.4f", epoch + 1, plan.n_epochs, loss)
            elif best.enough(epoch, loss, found(arrays, plan, held, known), partial(copies, arrays)):
                break
    return converged("sequence", copies(arrays) if held is None else best.arrays)


def copies(arrays: Parameters) -> dict[str, Floats]:
    """The same numbers, which training will not write to again."""
    return {name: array.copy() for name, array in arrays.items()}


def loss_of(
    torch: Any,
    p: dict[str, Any],
    plan: Plan,
    some: Lists,
    pool: NDArray[np.int64],
    drop: Any,
    rng: np.random.Generator,
) -> Any:
    """Mean weighted surprise at every event of ``some`` but the first of a list; lists stand shortest first.

    A sampled softmax: an event's own item against ``n_negatives`` drawn evenly from ``pool``, the same for the whole
    batch. Drawn ones stand for all others, so each counts |pool| / n_negatives times: the logQ correction of an even
    draw. With as many negatives as items, all are taken and nothing is drawn.
    """
    first, last = some.indptr[:-1], some.indptr[1:] - 1
    before = some.keep(~np.isin(np.arange(len(some.item_ix)), last))
    after, weight = (np.delete(column, first) for column in (some.item_ix, some.weight))
    drawn = plan.n_negatives < len(pool)
    negatives = pool[rng.integers(0, len(pool), plan.n_negatives)] if drawn else pool
    rows = torch.from_numpy(np.concatenate([before.item_ix, after, negatives]).astype(np.int64))
    ins, right, others = torch.nn.functional.embedding(rows, p["items"]).split([len(after), len(after), len(negatives)])
    out = learn(torch, p, plan.shape.n_heads, before, drop, ins) / plan.temperature
    scores = (out @ others.T).masked_fill_(torch.from_numpy(after[:, None] == negatives), -np.inf)
    against = scores.logsumexp(1) + (float(np.log(len(pool) / len(negatives))) if drawn else 0.0)
    surprise = torch.nn.functional.softplus(against - (out * right).sum(1))
    share = weight.astype(np.float64)
    return (surprise * torch.from_numpy((share / share.sum()).astype(np.float32))).sum()


class Held(NamedTuple):
    """Lists without their last event, and what that was."""

    lists: Lists
    wanted: ItemRows


def hold_out(lists: Lists, part: float, rng: np.random.Generator) -> tuple[Lists, Held | None]:
    """``lists`` without the last event of a random ``part`` of those with three events or more, and these as questions.

    None where they would be too few to tell one epoch from another.
    """
    able = np.flatnonzero(lists.sizes >= 3)
    n = round(part * len(able))
    if n < LEAST_HELD:
        return lists, None
    chosen = np.sort(rng.choice(able, n, replace=False))
    last = lists.indptr[1:][chosen] - 1
    wanted = lists.item_ix[last]
    left = lists.keep(~np.isin(np.arange(len(lists.item_ix)), last))
    return left, Held(left.take(chosen), wanted)


def found(p: Parameters, plan: Plan, held: Held, known: NDArray[np.bool_]) -> float:
    """Mean nDCG of the questions held out, each over all known items but those of its list."""

    def part(start: int, stop: int) -> float:
        asked = held.lists.take(np.arange(start, stop))
        wanted, of = held.wanted[start:stop], np.arange(stop - start)
        scores = answer(p, plan.shape.n_heads, asked.latest(plan.shape.max_length)) @ p["items"].T
        own = scores[of, wanted]
        scores[:, ~known] = -np.inf
        scores[np.repeat(of, asked.sizes), asked.item_ix] = -np.inf
        place = (scores > own[:, None]).sum(1)
        return float((1 / np.log2(place + 2)).sum(where=place < PLACES))

    with one_blas_thread():
        n = len(held.wanted)
        return sum(in_chunks(part, [*range(0, n, BLOCK), n])) / n
