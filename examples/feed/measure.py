"""How many people find a post they like among five, by both protocols, as a table and a plot.

python examples/feed/measure.py [PIPELINE ...] [--json FILE] [--plot FILE] [--days 1]

Everything before the cut is learnt from; of the last part of the log, *shown rows* ranks for each person the posts
that they were shown then, *full catalogue* ranks all posts. Beside the pipelines named stand chance, the most liked
posts, the most liked within the topics that somebody likes, and each source alone
of pipelines with a ranker. Whoever was shown something counts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serendip.domain import micros, moment
from serendip.evaluation.comparison import with_singles
from serendip.evaluation.shown import Found, measure_shown
from serendip.flows.attributes import with_attributes
from serendip.flows.gather import gather
from serendip.flows.scenarios import scenarios_of
from serendip.pipeline import PipelineConfig
from serendip.settings import read_settings
from serendip.store import Store

TEST_DAYS = 14
BASELINES = {"random": "random", "most liked": "popular", "liked within topic": "tag-popularity(column=topic)"}


def baselines() -> list[PipelineConfig]:
    """What anything must be held against."""
    return [PipelineConfig.parse(spec).model_copy(update={"name": name}) for name, spec in BASELINES.items()]


def measure(
    store: Store,
    configs: Sequence[PipelineConfig],
    cut: datetime | None = None,
    window_days: float | None = None,
    most: int | None = None,
) -> list[Found]:
    """The baselines and ``configs`` on what happened from ``cut`` on; by default the last fortnight of the log."""
    data = gather(store)
    lineup, _ = with_singles([*baselines(), *configs])
    data = with_attributes(store, data, lineup)
    when = cut or moment(data.now) - timedelta(days=TEST_DAYS)
    return measure_shown(lineup, data, micros(when), window_days=window_days, most_askers=most)


def table(found: Sequence[Found]) -> str:
    """The rows, a protocol after the other, in Markdown."""
    lines = []
    for protocol in dict.fromkeys(one.protocol for one in found):
        rows = [one for one in found if one.protocol == protocol]
        lines += [f"\n**{protocol}**: {rows[0].n_asked:,} questions, {rows[0].n_liking:,} of them with a like\n"]
        lines += [
            f"| pipeline | HitRate@5 | above chance | nDCG@10 | above {rows[0].single} |",
            "|---|---|---|---|---|",
        ]
        for one in sorted(rows, key=lambda row: -row.hit_rate.mean):
            shares = f"{_said(one.hit_rate)} | {_said(one.over_first, '+')}"
            lines.append(f"| {one.name} | {shares} | {_said(one.ndcg)} | {_said(one.over_single, '+')} |")
    return "\n".join(lines)


def _said(one: object, sign: str = "") -> str:
    mean, low, high = (getattr(one, name) for name in ("mean", "low", "high"))
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def plot(found: Sequence[Found]) -> object:
    """Both protocols side by side, with 95% intervals."""
    import matplotlib.pyplot as plt

    protocols = list(dict.fromkeys(one.protocol for one in found))
    figure, axes = plt.subplots(1, len(protocols), figsize=(12, 4), squeeze=False)
    for axis, protocol in zip(axes[0], protocols, strict=True):
        rows = sorted((one for one in found if one.protocol == protocol), key=lambda row: row.hit_rate.mean)
        mean = [row.hit_rate.mean for row in rows]
        reach = [
            [m - row.hit_rate.low for m, row in zip(mean, rows, strict=True)],
            [row.hit_rate.high - m for m, row in zip(mean, rows, strict=True)],
        ]
        axis.barh([row.name for row in rows], mean, xerr=reach, color="#7aa6c2")
        axis.set_title(f"HitRate@5, {protocol}")
    figure.tight_layout()
    return figure


def main() -> None:
    """Read the command line."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("pipelines", nargs="*", help="scenarios of serendip.toml, or pipelines; default: home")
    told.add_argument("--cut", type=datetime.fromisoformat, help="an ISO moment; 14 days before the end")
    told.add_argument("--days", type=float, help="ask everybody anew every so many days; default: once, at the cut")
    told.add_argument("--most", type=int, help="draw so many people of a window at most")
    told.add_argument("--json", type=Path)
    told.add_argument("--plot", type=Path)
    given = told.parse_args()
    store = Store.open(read_settings().database_url)
    try:
        scenarios = scenarios_of(store)
        configs = []
        for name in given.pipelines or ["home"]:
            own = scenarios[name].config.pipeline if name in scenarios else None
            configs.append(PipelineConfig.parse(name) if own is None else own.model_copy(update={"name": name}))
        cut = None if given.cut is None else given.cut.replace(tzinfo=given.cut.tzinfo or UTC)
        found = measure(store, configs, cut, given.days, given.most)
    finally:
        store.close()
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in found], indent=1))
    if given.plot:
        plot(found).savefig(given.plot, dpi=110)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
