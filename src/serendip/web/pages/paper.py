"""What every page is printed on: the templates, what they may call, and the headers that keep it safe."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from textwrap import shorten
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from serendip import __version__
from serendip.domain import Item
from serendip.web.addresses import segment
from serendip.web.asker import Asker
from serendip.web.forms import csrf_token
from serendip.web.services import Services

FOLDER = Path(__file__).parent.parent
N_HUES = 8


def hue(text: str) -> int:
    """A colour that stays with an id, 0 to ``N_HUES`` exclusive."""
    return hashlib.blake2b(text.encode(), digest_size=1).digest()[0] % N_HUES


def initials(text: str) -> str:
    """One or two letters that stand for a name."""
    words = [word for word in text.replace("-", " ").replace("_", " ").split() if word[:1].isalnum()]
    return ((words[0][0] + (words[-1][0] if len(words) > 1 else "")) if words else text[:1]).upper()


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, for people: the largest unit that fits."""
    seconds = (now - moment).total_seconds()
    for size, unit in ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3600, "hour"), (60, "minute")):
        n = int(seconds // size)
        if n >= 1:
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"


def poster(item: Item, hosts: tuple[str, ...]) -> str:
    """Where the pages load an item's picture: its own image where the operator allows its host, else a drawing."""
    image = item.image or ""
    parts = urlsplit(image) if image and not image.lstrip().startswith("<") else None
    if parts and (f"{parts.scheme}://{parts.netloc}" in hosts or (not parts.netloc and image.startswith("/"))):
        return image
    return f"/posters/{segment(item.id)}.svg"


SHORT = 60
"""Characters of a text that stand for a title."""


def named(item: Item) -> str:
    """What an item is called: its title, else how its text begins, else its id."""
    if item.title or not (item.text or "").strip():
        return item.title or item.id
    return (
        shorten(item.text or "", SHORT, placeholder="…")
        if " " in (item.text or "").strip()
        else (item.text or "")[:SHORT]
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(segment=segment, hue=hue, initials=initials, named=named)
    made.globals.update(version=__version__, ago=ago, poster=poster, asset=_asset)
    return made


def _asset(name: str) -> str:
    """The address of a static file, which changes with its content so that browsers may keep it."""
    if name not in _ASSETS:
        content = (FOLDER / "static" / name).read_bytes()
        _ASSETS[name] = f"/static/{name}?{hashlib.blake2b(content, digest_size=4).hexdigest()}"
    return _ASSETS[name]


_ASSETS: dict[str, str] = {}
_TEMPLATES = _environment()


def safe_headers(hosts: tuple[str, ...] = ()) -> dict[str, str]:
    """No script but ours, no frame, no other site."""
    images = " ".join(("'self'", "data:", *hosts))
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }


def page(request: Request, template: str, status: int = 200, **words: Any) -> HTMLResponse:
    """The page ``template`` says, with ``words`` in it."""
    parts: Services = request.app.state.services
    asker: Asker | None = request.scope.get("state", {}).get("asker")
    content = _TEMPLATES.get_template(template).render(
        asker=asker,
        csrf=csrf_token(asker.session) if asker and asker.session else "",
        path=request.url.path,
        now=parts.clock(),
        hosts=parts.settings.image_hosts,
        **words,
    )
    return HTMLResponse(content, status, safe_headers(parts.settings.image_hosts))
