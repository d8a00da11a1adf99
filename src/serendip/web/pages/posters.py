"""Posters: the drawing that is kept with an item, or one made up from its title."""

from __future__ import annotations

import hashlib
from textwrap import wrap

from fastapi import APIRouter
from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response

from serendip.domain import Item, NotFound, checked_id
from serendip.web.pages.paper import named
from serendip.web.services import Parts

router = APIRouter(include_in_schema=False)

ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A drawing may style itself and nothing else, even where somebody opens it by its own address."""

INKS = (
    ("#264653", "#2a9d8f", "#e9f5f2"),
    ("#3d2c5e", "#8e6bbf", "#f3ecfb"),
    ("#6b2737", "#d1495b", "#fdeef0"),
    ("#1d3557", "#457b9d", "#eaf4fa"),
    ("#5f3b00", "#d98e04", "#fdf3df"),
    ("#23411d", "#6a994e", "#eff6e9"),
    ("#4a2511", "#c86f3c", "#fcefe6"),
    ("#30343f", "#7a869a", "#eef0f4"),
)


@router.get("/posters/{item:id}.svg")
def poster(request: Request, parts: Parts, item: str) -> Response:
    """An item's poster."""
    record = parts.store.item(checked_id(item, "item"))
    if record is None:
        raise NotFound(f"no item {item!r}")
    kept = record.image if record.image and record.image.lstrip().startswith("<svg") else None
    drawing = kept or drawn(record)
    tag = f'"{hashlib.blake2b(drawing.encode(), digest_size=8).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300", "Content-Security-Policy": ALONE}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(drawing, media_type="image/svg+xml", headers=headers)


def drawn(item: Item) -> str:
    """A poster for an item that has none, 200 by 300: its title over shapes that its id decides."""
    seed = hashlib.blake2b(item.id.encode(), digest_size=8).digest()
    dark, bright, pale = INKS[seed[0] % len(INKS)]
    title = named(item)
    lines = wrap(title, 14)[:4] or [title[:14]]
    if len(wrap(title, 14)) > 4:
        lines[-1] = lines[-1][:13] + "…"
    words = "".join(
        f'<text x="16" y="{260 - 24 * below}" font-size="19" font-weight="600">{escape(line)}</text>'
        for below, line in enumerate(reversed(lines))
    )
    shapes = "".join(
        f'<circle cx="{20 + seed[n] * 160 // 255}" cy="{30 + seed[n + 1] * 120 // 255}" r="{26 + seed[n + 2] // 5}" '
        f'fill="{(bright, pale, bright)[n - 1]}" opacity="{0.75 - 0.18 * n:.2f}"/>'
        for n in (1, 2, 3)
    )
    slope = seed[6] % 60 - 30
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 300" width="200" height="300">'
        f'<defs><linearGradient id="g" x2="0" y2="1"><stop offset=".35" stop-color="{dark}" stop-opacity="0"/>'
        f'<stop offset=".72" stop-color="{dark}"/></linearGradient></defs>'
        f'<rect width="200" height="300" fill="{dark}"/>{shapes}'
        f'<path d="M0 {150 + slope}Q100 {110 - slope} 200 {150 - slope}V300H0Z" fill="{bright}" opacity=".35"/>'
        '<rect width="200" height="300" fill="url(#g)"/>'
        f'<g font-family="system-ui,sans-serif" fill="{pale}">{words}</g>'
        f'<rect x="16" y="276" width="40" height="4" fill="{bright}"/></svg>'
    )
