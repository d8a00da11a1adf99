"""Training of two towers: what an asker did and is on one side, what an item is on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from serendip.data import Floats, ItemRows
from serendip.models.neural.stopping import Best, converged
from serendip.models.neural.torch import generator, training

INIT = 0.1
"""Standard deviation of a vector's parts before the first epoch."""

HIDDEN = 2
"""A layer has so many times as many units as a vector has parts."""

MOST_JUDGED, JUDGED, HELD_OUT, LEAST = 2000, 0.1, 0.2, 5
"""At most so many askers, and at most such a part of them, are asked when to stop, about such a part of their items.
Each has so many items at least."""

FEW = 20
"""With fewer askers to judge by nothing is held out, and every epoch is trained."""

NEVER = -1e9
"""Instead of the score of an item that the asker took, which is no negative; minus infinity has no gradient."""

LEFT = 0.05
"""What is left of a step's length after the last epoch; it falls in a straight line."""

CUTOFF = 20
"""Places of the lists that are judged."""

BATCH = 256
"""Lists that are judged at once."""

Flags = NDArray[np.bool_]
Weights = dict[str, Floats]


@dataclass(frozen=True)
class Plan:
    """How the towers are made and trained; the names are those of the config."""

    n_factors: int
    n_layers: int
    shared: bool
    n_negatives: int
    negatives_power: float
    temperature: float
    target_share: float
    id_dropout: float
    regularization: float
    learning_rate: float
    n_epochs: int
    patience: int
    batch_size: int


@dataclass(frozen=True)
class Taken:
    """What everybody took, an entry an item and user: those of user ``u`` from ``indptr[u]`` to ``indptr[u + 1]``."""

    indptr: NDArray[np.int64]
    item_ix: ItemRows
    weight: Floats

    def of(self, users: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The entries of ``users``, end to end, and the place among ``users`` of the one whose each is."""
        size = np.diff(self.indptr)[users]
        owner = np.repeat(np.arange(len(users)), size)
        ends = np.cumsum(size)
        return np.arange(len(owner)) - np.repeat(ends - size, size) + np.repeat(self.indptr[:-1][users], size), owner


@dataclass(frozen=True)
class Known:
    """What is learnt from."""

    taken: Taken
    content: Floats
    """What items are besides their ids, (n_items, n_content); no columns where nothing is known."""
    profiles: sparse.csr_array
    """The same of users, (n_users, n_profile)."""

    @property
    def n_items(self) -> int:
        """Items, taken or not."""
        return len(self.content)


def shares(owner: NDArray[np.integer], weight: Floats, n: int) -> Floats:
    """By what each item of a history counts, (n_entries,): w n^1/2 / sum of w, which is n^-1/2 where all are equal."""
    total, many = np.bincount(owner, weight.astype(np.float64), n), np.bincount(owner, minlength=n)
    scale = np.sqrt(many) / np.where(total > 0, total, 1)
    return np.asarray(weight * scale[owner], np.float32)


def train_towers(plan: Plan, known: Known, rng: np.random.Generator) -> tuple[Weights, Flags]:
    """Parameters of the epoch with the best nDCG on what was held out, or of the last; which items were learnt from.

    An epoch parts every history anew: some items are targets and the rest is the asker, so that no target is in its own
    history. The loss is the softmax of each target t against the items that n draws brought, less those that the asker
    took, by cosine over a temperature T; with P(j) the chance that item j was drawn at all (Yi et al. 2019):

        -ln exp(cos(x, y_t) / T) / (exp(cos(x, y_t) / T) + sum over drawn j of exp(cos(x, y_j) / T - ln P(j)))
    """
    with training("two-tower") as torch:
        towers = _Towers(torch, generator(torch, rng), plan, known)
        learnt, judged = _parted(known.taken, rng)
        sampler = _Sampler(plan, np.bincount(known.taken.item_ix[learnt], minlength=known.n_items), rng)
        moved = torch.optim.AdamW(
            towers.weights.values(), plan.learning_rate, weight_decay=plan.regularization, fused=True
        )
        best = Best("two-tower", plan.n_epochs, plan.patience)
        n_users = len(known.taken.indptr) - 1
        for epoch in range(plan.n_epochs):
            users, losses = rng.permutation(n_users), []
            target = rng.random(len(learnt)) < plan.target_share
            for start in range(0, n_users, plan.batch_size):
                loss = towers.loss(users[start : start + plan.batch_size], learnt, target, sampler)
                if loss is not None:
                    moved.zero_grad()
                    loss.backward()
                    moved.step()
                    losses.append(float(loss.detach()))
            for group in moved.param_groups:
                group["lr"] = plan.learning_rate * (1 - (1 - LEFT) * (epoch + 1) / plan.n_epochs)
            measure = towers.ndcg(judged, learnt) if len(judged) else float(epoch)
            if best.enough(epoch, float(np.mean(losses)) if losses else 0.0, measure, towers.copied):
                break
        return converged("two-tower", best.arrays), sampler.counts > 0


def _parted(taken: Taken, rng: np.random.Generator) -> tuple[Flags, NDArray[np.int64]]:
    """Which entries are learnt from, (n_entries,), and the users whose others are held out."""
    learnt = np.ones(len(taken.item_ix), np.bool_)
    able = np.flatnonzero(np.diff(taken.indptr) >= LEAST)
    judged = rng.permutation(able)[: min(MOST_JUDGED, int(JUDGED * len(able)))]
    if len(judged) < FEW:
        return learnt, judged[:0]
    for user in judged:
        own = rng.permutation(np.arange(taken.indptr[user], taken.indptr[user + 1]))
        learnt[own[: max(1, int(HELD_OUT * len(own)))]] = False
    return learnt, judged


class _Sampler:
    """Items that targets are told apart from, drawn with replacement by a power of how often each was taken."""

    def __init__(self, plan: Plan, counts: NDArray[np.integer], rng: np.random.Generator) -> None:
        self.counts, self._n, self._rng = counts, plan.n_negatives, rng
        self._met = np.flatnonzero(counts)
        chance = counts[self._met].astype(np.float64) ** plan.negatives_power
        self._chance = chance / chance.sum()
        self._up_to = np.cumsum(self._chance)

    def draw(self) -> tuple[NDArray[np.int64], Floats]:
        """Some items, none twice, and ln P that each was drawn; all of them where as many draws are asked for."""
        if self._n >= len(self._met):
            return self._met, np.zeros(len(self._met), np.float32)
        drawn = np.unique(np.searchsorted(self._up_to, self._rng.random(self._n) * self._up_to[-1], side="right"))
        surely = -np.expm1(self._n * np.log1p(-self._chance[drawn]))
        return self._met[drawn], np.log(surely).astype(np.float32)


class _Towers:
    """The parameters, and what they say of a batch."""

    def __init__(self, torch: Any, seeded: Any, plan: Plan, known: Known) -> None:
        self._torch, self._seeded, self._plan, self._known = torch, seeded, plan, known
        self._content = torch.from_numpy(known.content)
        k, wide = plan.n_factors, HIDDEN * plan.n_factors

        def drawn(*shape: int, sigma: float) -> Any:
            return (torch.randn(*shape, generator=seeded) * sigma).requires_grad_()

        self.weights = {"start": torch.zeros(k, requires_grad=True)}
        for side in ("items",) if plan.shared else ("items", "history"):
            self.weights[side] = drawn(known.n_items, k, sigma=INIT)
            if known.content.shape[1]:
                self.weights[f"content.{side}"] = drawn(known.content.shape[1], k, sigma=INIT)
        if known.profiles.shape[1]:
            self.weights["profile"] = drawn(known.profiles.shape[1], k, sigma=INIT)
        for place in range(plan.n_layers):
            self.weights[f"layer.{place}.in"] = drawn(k, wide, sigma=(2 / k) ** 0.5)
            self.weights[f"layer.{place}.bias"] = torch.zeros(wide, requires_grad=True)
            self.weights[f"layer.{place}.out"] = drawn(wide, k, sigma=INIT / wide**0.5)

    def copied(self) -> Weights:
        """The parameters as they are."""
        return {name: one.detach().numpy().copy() for name, one in self.weights.items()}

    def loss(self, users: NDArray[np.int64], learnt: Flags, target: Flags, sampler: _Sampler) -> Any:
        """The mean loss of the users' targets; None where they have none."""
        torch, taken = self._torch, self._known.taken
        entry, owner = taken.of(users)
        kept = learnt[entry]
        entry, owner = entry[kept], owner[kept]
        aim = target[entry]
        if not aim.any():
            return None
        drop = self._dropped()
        asker = self._askers(users, entry[~aim], owner[~aim], drop) / self._plan.temperature
        drawn, chance = sampler.draw()
        aimed, whose = (torch.from_numpy(one[aim].astype(np.int64)) for one in (taken.item_ix[entry], owner))
        scores = asker @ self._items(torch.from_numpy(drawn), drop).T - torch.from_numpy(chance)
        place = np.full(self._known.n_items, -1)
        place[drawn] = np.arange(len(drawn))
        own = place[taken.item_ix[entry]]
        met = tuple(torch.from_numpy(one[own >= 0]) for one in (owner, own))
        scores.index_put_(met, torch.tensor(NEVER))
        hit = (asker[whose] * self._items(aimed, drop)).sum(1)
        loss = torch.nn.functional.softplus(torch.logsumexp(scores, 1)[whose] - hit)
        weight = taken.weight[entry[aim]].astype(np.float64)
        return (loss * torch.from_numpy((weight / weight.sum()).astype(np.float32))).sum()

    def _dropped(self) -> Any:
        """0 of the items whose ids are left out of this batch, (n_items, 1); None where items are nothing but ids."""
        if not self._plan.id_dropout or not self._known.content.shape[1]:
            return None
        drawn = self._torch.rand(self._known.n_items, 1, generator=self._seeded)
        return (drawn >= self._plan.id_dropout).float()

    def _items(self, rows: Any, drop: Any = None) -> Any:
        """Vectors of items of length 1."""
        return self._torch.nn.functional.normalize(self._side("items", rows, drop), dim=1, eps=1e-6)

    def _side(self, side: str, rows: Any, drop: Any) -> Any:
        """What the ids of items and what is known of them give together."""
        vectors = self.weights[side][rows]
        if drop is not None:
            vectors = vectors * drop[rows]
        if f"content.{side}" in self.weights:
            vectors = vectors + self._content[rows] @ self.weights[f"content.{side}"]
        return vectors

    def _askers(
        self, users: NDArray[np.int64], entry: NDArray[np.int64], owner: NDArray[np.int64], drop: Any = None
    ) -> Any:
        """Vectors of ``users`` of length 1, from the entries of histories."""
        torch, taken = self._torch, self._known.taken
        items = torch.from_numpy(taken.item_ix[entry].astype(np.int64))
        share = torch.from_numpy(shares(owner, taken.weight[entry], len(users)))[:, None]
        vectors = self._side("items" if self._plan.shared else "history", items, drop)
        x = self.weights["start"].expand(len(users), -1).index_add(0, torch.from_numpy(owner), vectors * share)
        if "profile" in self.weights:
            rows = self._known.profiles[users].toarray()
            x = x + torch.from_numpy(np.asarray(rows, np.float32)) @ self.weights["profile"]
        for place in range(self._plan.n_layers):
            inner, bias, outer = (self.weights[f"layer.{place}.{name}"] for name in ("in", "bias", "out"))
            x = x + torch.relu(x @ inner + bias) @ outer
        return torch.nn.functional.normalize(x, dim=1, eps=1e-6)

    def ndcg(self, judged: NDArray[np.int64], learnt: Flags) -> float:
        """Mean nDCG of the best items of each of ``judged``, less those learnt from, against those held out."""
        torch, taken, gain = self._torch, self._known.taken, 1 / np.log2(np.arange(2, CUTOFF + 2))
        total = 0.0
        with torch.no_grad():
            items = self._items(torch.arange(self._known.n_items))
            for start in range(0, len(judged), BATCH):
                some = judged[start : start + BATCH]
                entry, owner = taken.of(some)
                old = learnt[entry]
                scores = (self._askers(some, entry[old], owner[old]) @ items.T).numpy()
                scores[owner[old], taken.item_ix[entry[old]]] = -np.inf
                best = torch.topk(torch.from_numpy(scores), min(CUTOFF, self._known.n_items)).indices.numpy()
                wanted = np.zeros(scores.shape, np.bool_)
                wanted[owner[~old], taken.item_ix[entry[~old]]] = True
                hits = np.take_along_axis(wanted, best, 1)
                ideal = np.cumsum(gain)[np.minimum(wanted.sum(axis=1), CUTOFF) - 1]
                total += float(((hits * gain[: hits.shape[1]]).sum(axis=1) / ideal).sum())
        return total / len(judged)
