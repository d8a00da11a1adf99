"""Dots with whiskers, bars and a curve, drawn on the server."""

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


BAR, BAR_HEIGHT = 34, 10
"""Pixels: a name with its bar below, and the bar."""


@dataclass(frozen=True)
class Bar:
    """One bar in pixels, and what it stands for."""

    name: str
    part: float
    y: float
    width: float


@dataclass(frozen=True)
class Bars:
    """A plot of parts of a whole, the largest on top."""

    title: str
    bars: tuple[Bar, ...]
    height: int

    @property
    def width(self) -> int:
        """Pixels."""
        return WIDTH


def bars(title: str, parts: Sequence[tuple[str, float]]) -> Bars:
    """The largest bar fills the line; all begin at 0."""
    most = max((part for _, part in parts), default=0.0) or 1.0
    drawn = tuple(
        Bar(name, part, BAR * (n + 1) - BAR_HEIGHT, round((WIDTH - LEFT - RIGHT) * max(part, 0.0) / most, 1))
        for n, (name, part) in enumerate(parts)
    )
    return Bars(title, drawn, BAR * len(drawn) + 8)


CURVE_HEIGHT, CURVE_LEFT, CURVE_BOTTOM = 180, 52, 28
"""Pixels: whole height, room for the numbers on the left and below."""


@dataclass(frozen=True)
class Curve:
    """A line of what was reached by the number of trees, in pixels."""

    title: str
    points: str
    """As SVG writes them."""
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    stop: tuple[float, float]
    """Where the trees that are kept end."""

    @property
    def width(self) -> int:
        """Pixels."""
        return WIDTH

    @property
    def height(self) -> int:
        """Pixels."""
        return CURVE_HEIGHT


def curve(title: str, reached: Sequence[tuple[int, float]], stop: int) -> Curve:
    """What ``reached`` says, (number of trees, value); the axis of values goes from the least to the most of them."""
    least, most = min(value for _, value in reached), max(value for _, value in reached)
    step = step_for((most - least) or 1.0) * 2
    bottom, top = step * floor(least / step), step * -(-most // step)
    top = top if top > bottom else bottom + step
    last = max(n for n, _ in reached)

    def x(n: float) -> float:
        return round(CURVE_LEFT + (WIDTH - CURVE_LEFT - RIGHT) * n / last, 1)

    def y(value: float) -> float:
        return round(
            CURVE_HEIGHT - CURVE_BOTTOM - (CURVE_HEIGHT - CURVE_BOTTOM - LEFT) * (value - bottom) / (top - bottom), 1
        )

    trees = max(1, round(step_for(float(last))) * 2)
    places = max(0, -floor(log10(step)))
    kept = next((value for n, value in reached if n >= stop), reached[-1][1])
    return Curve(
        title,
        " ".join(f"{x(n)},{y(value)}" for n, value in reached),
        tuple((x(n), str(n)) for n in range(0, last + 1, trees)),
        tuple(
            (y(bottom + step * n), f"{bottom + step * n:.{places}f}") for n in range(round((top - bottom) / step) + 1)
        ),
        (x(min(stop, last)), y(kept)),
    )
