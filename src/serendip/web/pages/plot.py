"""Dots and whiskers, drawn on the server: one line a pipeline, a mean and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

LEFT, LINE, TOP, WIDTH, RIGHT = 12, 40, 28, 400, 16
"""Pixels: margin, height of a name with its dot below, room for the axis, whole width, margin."""


@dataclass(frozen=True)
class Dot:
    """One pipeline's measured mean with its interval."""

    name: str
    mean: float
    low: float
    high: float
    live: tuple[str, ...] = ()
    """The scenarios it is live in."""
    baseline: bool = False


@dataclass(frozen=True)
class Drawn:
    """A dot in pixels."""

    dot: Dot
    y: float
    x: float
    left: float
    right: float


@dataclass(frozen=True)
class Plot:
    """A dot-and-whisker plot in pixels, for the template to write as SVG."""

    title: str
    dots: tuple[Drawn, ...]
    ticks: tuple[tuple[float, str], ...]
    height: int

    @property
    def width(self) -> int:
        """Pixels."""
        return WIDTH


def step_for(span: float) -> float:
    """A round distance between ticks that gives four to ten of them over ``span``."""
    power: float = 10.0 ** floor(log10(span / 4))
    return next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= 8)


def plot(title: str, dots: Sequence[Dot]) -> Plot:
    """The best on top; the axis begins at 0, so that lengths can be compared."""
    ordered = sorted(dots, key=lambda dot: (-dot.mean, dot.name))
    most = max((dot.high for dot in ordered), default=0.0) or 1.0
    step = step_for(most)
    end = step * -(-most // step)

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * max(value, 0.0) / end, 1)

    drawn = tuple(
        Drawn(dot, TOP + LINE * (n + 0.7), x(dot.mean), x(dot.low), x(dot.high)) for n, dot in enumerate(ordered)
    )
    places = max(0, -floor(log10(step)))
    ticks = tuple((x(step * n), f"{step * n:.{places}f}") for n in range(round(end / step) + 1))
    return Plot(title, drawn, ticks, TOP + LINE * len(drawn) + 8)
