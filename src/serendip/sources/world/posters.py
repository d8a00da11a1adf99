"""Posters of films, drawn as SVG: a composition and a palette for each genre, the title set by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from xml.sax.saxutils import escape

import numpy as np

from serendip.sources.world.films import Film

WIDTH, HEIGHT = 300, 450

Palette = tuple[str, str, str, str]
"""Background above, background below, a strong colour, the colour of letters."""

PALETTES: dict[str, list[Palette]] = {
    "drama": [
        ("#e8d8c3", "#c98f6b", "#7a3b2e", "#2b1a17"),
        ("#cfd8dc", "#78909c", "#37474f", "#1c262b"),
        ("#f3e3d3", "#d9a679", "#44546a", "#22222e"),
    ],
    "comedy": [
        ("#ffe08a", "#ff9f68", "#e8505b", "#3c1a3e"),
        ("#bff0d4", "#5ad1c7", "#ff6f59", "#17353a"),
        ("#ffd3e2", "#ffb3a7", "#5b4bdb", "#2b1a57"),
    ],
    "thriller": [
        ("#1a1d24", "#0b0c10", "#d7263d", "#f2efe9"),
        ("#12232e", "#050a0e", "#f2a900", "#eef4f5"),
        ("#1d1b2e", "#08070f", "#7bdff2", "#f4f7f8"),
    ],
    "science fiction": [
        ("#1b1145", "#07051a", "#52d1dc", "#eafcff"),
        ("#0a2a43", "#02060f", "#ff7b54", "#fff3e6"),
        ("#2b0a3d", "#0a0212", "#f9c80e", "#fff7e0"),
    ],
    "romance": [
        ("#fbd3c8", "#f08a8a", "#b5304a", "#5a1226"),
        ("#e7d4f2", "#b894d6", "#e0567a", "#3d1450"),
        ("#fff0d9", "#f7b267", "#c8553d", "#5a2320"),
    ],
    "horror": [
        ("#2b0f0f", "#070404", "#b80f0a", "#f3e6d8"),
        ("#132018", "#040705", "#a3b18a", "#eef2e6"),
        ("#1a1626", "#060409", "#c9ada7", "#f2e9e4"),
    ],
    "adventure": [
        ("#ffd08a", "#e2703a", "#234e52", "#1d2b2c"),
        ("#bfe3e0", "#3f8f8b", "#d9822b", "#0f2f33"),
        ("#d7e8ba", "#77a88d", "#5f4b66", "#26202e"),
    ],
    "animation": [
        ("#8fd3ff", "#c9f2ff", "#ffb703", "#1d3557"),
        ("#ffd6e8", "#d4c1ff", "#5b8e7d", "#3a2a5c"),
        ("#c8f7dc", "#f9f6c1", "#ef798a", "#2c4251"),
    ],
    "western": [
        ("#f6c177", "#c8553d", "#5c2a1e", "#33140d"),
        ("#f0dfc0", "#d09a5b", "#7a3e1d", "#3a1d0c"),
        ("#e8c9a0", "#8d5b4c", "#3e2c41", "#241722"),
    ],
    "documentary": [
        ("#f4f1ea", "#ddd6c7", "#2a6f6b", "#1f1f1f"),
        ("#e9eef2", "#c5d0d8", "#c1442e", "#16202a"),
        ("#fbf3e4", "#efd9b4", "#34568b", "#1b2433"),
    ],
}

FONTS = {
    "drama": ("Georgia, 'Times New Roman', serif", "400", "normal", "0.5"),
    "comedy": ("'Trebuchet MS', 'Segoe UI', sans-serif", "800", "normal", "-0.3"),
    "thriller": ("Impact, 'Arial Narrow', 'Helvetica Neue', sans-serif", "700", "normal", "1.5"),
    "science fiction": ("'Helvetica Neue', 'Segoe UI', Arial, sans-serif", "200", "normal", "4"),
    "romance": ("Georgia, 'Palatino Linotype', serif", "400", "italic", "0"),
    "horror": ("'Times New Roman', Georgia, serif", "700", "normal", "2"),
    "adventure": ("'Palatino Linotype', Georgia, serif", "700", "normal", "1"),
    "animation": ("'Comic Sans MS', 'Trebuchet MS', sans-serif", "800", "normal", "0"),
    "western": ("Rockwell, 'Courier New', Georgia, serif", "800", "normal", "1"),
    "documentary": ("'Helvetica Neue', Arial, sans-serif", "600", "normal", "-0.2"),
}
"""Family, weight, style and letter spacing of a genre's titles."""

CAPITALS = {"thriller", "science fiction", "horror", "western", "adventure"}
TITLE_ABOVE = {"adventure", "animation", "western", "drama"}
"""Genres whose picture fills the lower part."""


TITLE_HEIGHT = 74
"""What the lines of a title may take together, so that they leave the picture alone."""


def draw_poster(film: Film, rng: np.random.Generator) -> str:
    """The poster of ``film`` as SVG text, 300 by 450."""
    palette = PALETTES[film.genre][int(rng.integers(len(PALETTES[film.genre])))]
    above, below, _, _ = palette
    shade = f"g-{film.id}"
    shapes = "".join(COMPOSITIONS[film.genre](palette, rng))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{_attribute(film.title)}">'
        f'<defs><linearGradient id="{shade}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{above}"/>'
        f'<stop offset="1" stop-color="{below}"/></linearGradient></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#{shade})"/>{shapes}{_title(film, palette)}</svg>'
    )


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _title(film: Film, palette: Palette) -> str:
    """The title in lines that fit, and a line of credits at the foot."""
    ink = palette[3]
    family, weight, style, spacing = FONTS[film.genre]
    text = film.title.upper() if film.genre in CAPITALS else film.title
    lines, size = _fit(text, float(spacing), 0.66 if film.genre in CAPITALS else 0.56)
    top = 24 + size if film.genre in TITLE_ABOVE else HEIGHT - 56 - (len(lines) - 1) * size * 1.08
    foot = palette[0] if film.genre == "drama" else ink
    spans = "".join(
        f'<text x="24" y="{top + i * size * 1.08:.0f}">{escape(line)}</text>' for i, line in enumerate(lines)
    )
    credits = f"{film.director}  ·  {film.year}"
    return (
        f'<g fill="{ink}" font-family="{_attribute(family)}" font-weight="{weight}" font-style="{style}" '
        f'letter-spacing="{spacing}" font-size="{size}">{spans}</g>'
        f'<text x="24" y="{HEIGHT - 22}" fill="{foot}" fill-opacity=".75" font-size="11" letter-spacing="1.2" '
        f"font-family=\"'Helvetica Neue', Arial, sans-serif\">{escape(credits)}</text>"
    )


def _fit(text: str, spacing: float, em: float) -> tuple[list[str], int]:
    """Lines of ``text`` and the largest font size at which none is wider than the poster; a letter is ``em`` wide."""
    for size in range(44, 13, -2):
        limit = (WIDTH - 48) / (em * size + spacing)
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if len(longer) <= limit:
                lines[-1] = longer
            else:
                lines = [line for line in [*lines, word] if line]
        if len(lines) * size <= TITLE_HEIGHT and max(map(len, lines)) <= limit:
            return lines, size
    return lines, size


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _circle(x: float, y: float, r: float, fill: str, more: str = "") -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" fill="{fill}"{more}/>'


def _path(points: list[tuple[float, float]], fill: str, more: str = "") -> str:
    d = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) + "Z"
    return f'<path d="{d}" fill="{fill}"{more}/>'


def _ridge(level: float, height: float, steps: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """The outline of hills from edge to edge, closed along the bottom."""
    tops = level - height * rng.random(steps + 1)
    line = [(WIDTH * i / steps, float(y)) for i, y in enumerate(tops)]
    return [(0, HEIGHT), *line, (WIDTH, HEIGHT)]


def _drama(palette: Palette, rng: np.random.Generator) -> list[str]:
    _, below, strong, ink = palette
    x, sea = float(rng.uniform(80, 220)), 330.0
    waves = [
        f'<path d="M0 {_n(y)}Q75 {_n(y - 7)} 150 {_n(y)}T300 {_n(y)}" stroke="{below}" fill="none" stroke-width="2"/>'
        for y in np.linspace(sea + 16, HEIGHT - 44, 6)
    ]
    person = f'<path d="M{_n(300 - x)} {sea}v-30" stroke="{ink}" stroke-width="7" stroke-linecap="round"/>'
    return [
        _circle(x, sea - 40, 76, strong, ' fill-opacity=".85"'),
        f'<rect y="{sea}" width="300" height="{HEIGHT - sea}" fill="{strong}"/>',
        *waves,
        person,
        _circle(300 - x, sea - 40, 6, ink),
    ]


def _comedy(palette: Palette, rng: np.random.Generator) -> list[str]:
    _, _, strong, ink = palette
    colours = [strong, ink, "#ffffff"]
    confetti = []
    for _ in range(26):
        x, y, turn = rng.uniform(0, 300), rng.uniform(0, 280), rng.uniform(0, 180)
        fill = colours[int(rng.integers(3))]
        confetti.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="14" height="5" rx="2.5" fill="{fill}" '
            f'transform="rotate({_n(turn)} {_n(x)} {_n(y)})"/>'
        )
    x, y = float(rng.uniform(120, 180)), 165.0
    face = [
        _circle(x, y, 82, strong),
        _circle(x - 28, y - 16, 9, ink),
        _circle(x + 28, y - 16 - float(rng.uniform(0, 12)), 9, ink),
        f'<path d="M{_n(x - 42)} {y + 20}Q{_n(x)} {y + 70} {_n(x + 42)} {y + 16}Z" fill="{ink}"/>',
    ]
    return [*confetti, *face]


def _thriller(palette: Palette, rng: np.random.Generator) -> list[str]:
    above, _, strong, ink = palette
    x = float(rng.uniform(110, 190))
    lamp = _path([(x, -10), (x - 120, 330), (x + 120, 330)], strong, ' fill-opacity=".9"')
    blinds = [f'<rect y="{_n(y)}" width="300" height="9" fill="{above}"/>' for y in range(14, 330, 19)]
    figure = [
        _circle(x, 214, 17, "#000"),
        f'<path d="M{_n(x - 30)} 330q0-92 30-92t30 92z" fill="#000"/>',
        f'<path d="M{_n(x - 30)} 206h60" stroke="#000" stroke-width="6"/>',
    ]
    return [lamp, *blinds, *figure, f'<rect y="330" width="300" height="3" fill="{ink}"/>']


def _science_fiction(palette: Palette, rng: np.random.Generator) -> list[str]:
    above, below, strong, ink = palette
    stars = [_circle(rng.uniform(0, 300), rng.uniform(0, 330), rng.uniform(0.4, 1.5), ink) for _ in range(42)]
    x, y, r = float(rng.uniform(110, 200)), float(rng.uniform(140, 180)), float(rng.uniform(58, 86))
    tilt = float(rng.uniform(-28, 28))
    ring = f'<ellipse cx="{_n(x)}" cy="{_n(y)}" rx="{_n(r * 1.75)}" ry="{_n(r * 0.36)}" fill="none" stroke="{ink}"'
    turned = f'transform="rotate({_n(tilt)} {_n(x)} {_n(y)})"'
    front = f'<path d="M{_n(x - r * 1.75)} {_n(y)}A{_n(r * 1.75)} {_n(r * 0.36)} 0 0 0 {_n(x + r * 1.75)} {_n(y)}" '
    return [
        *stars,
        f'{ring} stroke-width="3" stroke-opacity=".6" {turned}/>',
        _circle(x, y, r, strong),
        _circle(x + r * 0.3, y + r * 0.22, r * 0.93, below, ' fill-opacity=".45"'),
        f'{front}fill="none" stroke="{ink}" stroke-width="3" {turned}/>',
        _circle(
            float(rng.uniform(30, 270)), float(rng.uniform(40, 80)), 9, above, f' stroke="{strong}" stroke-width="2"'
        ),
    ]


def _romance(palette: Palette, rng: np.random.Generator) -> list[str]:
    _, _, strong, ink = palette
    y, gap = float(rng.uniform(150, 190)), float(rng.uniform(34, 52))
    petals = []
    for _ in range(14):
        x, at, turn = rng.uniform(0, 300), rng.uniform(10, 330), rng.uniform(0, 360)
        petals.append(
            f'<path d="M0 0q7-11 14 0q-7 11-14 0z" fill="#fff" fill-opacity=".65" '
            f'transform="translate({_n(x)} {_n(at)}) rotate({_n(turn)})"/>'
        )
    return [
        *petals,
        _circle(150 - gap, y, 78, strong, ' fill-opacity=".82"'),
        _circle(150 + gap, y, 78, ink, ' fill-opacity=".62"'),
    ]


def _horror(palette: Palette, rng: np.random.Generator) -> list[str]:
    _, below, strong, _ = palette
    x = float(rng.uniform(90, 210))
    moon = _circle(x, 130, 74, strong)
    left = 150 - 62
    house = [
        _path(
            [
                (left, 320),
                (left, 225),
                (left + 34, 180),
                (left + 68, 225),
                (left + 68, 205),
                (left + 124, 205),
                (left + 124, 320),
            ],
            below,
        ),
        f'<rect x="{left + 24}" y="236" width="16" height="24" fill="{strong}"/>',
        f'<rect x="{left + 88}" y="228" width="14" height="22" fill="{strong}" fill-opacity=".5"/>',
    ]
    trees = [_tree(float(at), 322, float(rng.uniform(90, 150)), below, rng) for at in (28, 66, 238, 278)]
    return [moon, *house, *trees, f'<rect y="318" width="300" height="140" fill="{below}"/>']


def _tree(x: float, y: float, height: float, colour: str, rng: np.random.Generator) -> str:
    """A bare tree: a trunk and branches that thin out."""
    lines = [f"M{_n(x)} {_n(y)}L{_n(x)} {_n(y - height)}"]
    for part in rng.uniform(0.35, 0.95, 6):
        side, length = (-1 if rng.random() < 0.5 else 1), height * float(rng.uniform(0.15, 0.3))
        base = y - height * float(part)
        lines.append(f"M{_n(x)} {_n(base)}l{_n(side * length)} {_n(-length)}")
    return f'<path d="{"".join(lines)}" stroke="{colour}" stroke-width="3" fill="none"/>'


def _adventure(palette: Palette, rng: np.random.Generator) -> list[str]:
    above, below, strong, ink = palette
    sun = _circle(float(rng.uniform(70, 230)), 220, 44, "#fff", ' fill-opacity=".8"')
    layers = [
        _path(_ridge(level, height, steps, rng), fill, f' fill-opacity="{opacity}"')
        for level, height, steps, fill, opacity in (
            (300, 90, 6, below, 0.55),
            (340, 80, 7, strong, 0.55),
            (385, 60, 8, strong, 0.85),
            (430, 40, 9, ink, 1),
        )
    ]
    birds = "".join(
        f"M{_n(x)} {_n(y)}q6-8 12 0q6-8 12 0" for x, y in rng.uniform((30, 170), (250, 230), (4, 2)).tolist()
    )
    foot = f'<rect y="404" width="300" height="46" fill="{above}"/>'
    return [sun, *layers, f'<path d="{birds}" stroke="{ink}" fill="none" stroke-width="2"/>', foot]


def _animation(palette: Palette, rng: np.random.Generator) -> list[str]:
    _, _, strong, ink = palette
    clouds = [
        f'<g fill="#fff" fill-opacity=".8" transform="translate({_n(x)} {_n(y)})">'
        f'<circle r="16"/><circle cx="20" cy="-6" r="20"/><circle cx="42" r="15"/></g>'
        for x, y in rng.uniform((0, 170), (240, 250), (3, 2)).tolist()
    ]
    hill = (
        f'<path d="M0 350Q80 {_n(rng.uniform(280, 320))} 160 340T300 320V450H0Z" fill="{strong}" fill-opacity=".55"/>'
    )
    x, y = float(rng.uniform(110, 190)), 300.0
    body = f'<path d="M{_n(x - 52)} 404q-8-130 52-130t52 130z" fill="{strong}"/>'
    eyes = "".join(_circle(x + dx, y + 8, 15, "#fff") + _circle(x + dx + 4, y + 10, 6, ink) for dx in (-19, 19))
    ears = _circle(x - 34, y - 22, 14, strong) + _circle(x + 34, y - 22, 14, strong)
    line = f'stroke="{ink}" stroke-width="4" fill="none" stroke-linecap="round"'
    smile = f'<path d="M{_n(x - 14)} {y + 40}q14 14 28 0" {line}/>'
    ground = '<rect y="402" width="300" height="48" fill="#fff" fill-opacity=".72"/>'
    return [*clouds, hill, ears, body, eyes, smile, ground]


def _western(palette: Palette, rng: np.random.Generator) -> list[str]:
    above, below, strong, ink = palette
    x = float(rng.uniform(90, 210))
    left, right = float(rng.uniform(10, 40)), float(rng.uniform(190, 220))
    mesas = [
        _path([(left - 20, 380), (left + 6, 290), (left + 70, 290), (left + 96, 380)], strong, ' fill-opacity=".8"'),
        _path([(right - 24, 380), (right, 262), (right + 60, 262), (right + 84, 380)], strong),
    ]
    cactus = float(rng.uniform(120, 170))
    arms = f"M{_n(cactus)} 392v-76M{_n(cactus)} 362h-17v-22M{_n(cactus)} 350h17v-24"
    line = f'stroke="{ink}" stroke-width="9" fill="none" stroke-linecap="round" stroke-linejoin="round"'
    return [
        _circle(x, 270, 70, above),
        _circle(x, 270, 70, below, ' fill-opacity=".5"'),
        *mesas,
        f'<rect y="378" width="300" height="72" fill="{above}"/>',
        f'<path d="{arms}" {line}/>',
    ]


def _documentary(palette: Palette, rng: np.random.Generator) -> list[str]:
    _, below, strong, ink = palette
    x, y = float(rng.uniform(100, 200)), float(rng.uniform(120, 190))
    wobble = rng.uniform(0, 2 * math.pi, 3)
    rings = []
    for r in range(14, 230, 15):
        points = []
        for angle in np.linspace(0, 2 * math.pi, 40, endpoint=False):
            far = r * (1 + 0.13 * math.sin(2 * angle + wobble[0]) + 0.08 * math.sin(3 * angle + wobble[1]))
            points.append((min(max(x + far * math.cos(angle), 24), 276), min(max(y + far * math.sin(angle), 24), 300)))
        rings.append(_path(points, "none", f' stroke="{strong}" stroke-opacity=".7" stroke-width="1.4"'))
    frame = f'<rect x="24" y="24" width="252" height="276" fill="{below}"/>'
    return [frame, *rings, _circle(x, y, 7, ink)]


COMPOSITIONS: dict[str, Callable[[Palette, np.random.Generator], list[str]]] = {
    "drama": _drama,
    "comedy": _comedy,
    "thriller": _thriller,
    "science fiction": _science_fiction,
    "romance": _romance,
    "horror": _horror,
    "adventure": _adventure,
    "animation": _animation,
    "western": _western,
    "documentary": _documentary,
}
