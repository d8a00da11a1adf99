"""The first files of an installation: a declaration with comments, and what to do next."""

from __future__ import annotations

from pathlib import Path

from serendip.domain import Conflict, Invalid, NotReady

EXAMPLES = ("social", "community", "shop", "feed", "reviews")
PLAIN = "plain"
"""The declaration of no example."""

PLACES = (Path(__file__).parents[1] / "examples", Path(__file__).parents[3] / "examples")
"""Where examples are: in an installed package, and in a checkout."""


def begin(folder: Path, example: str | None = None) -> list[Path]:
    """Write serendip.toml and README.md into ``folder``; what was written. A file that is there is a Conflict."""
    if example is not None and example not in EXAMPLES:
        raise Invalid(f"there is no example {example!r}; the examples are {', '.join(EXAMPLES)}", field="example")
    content = {"serendip.toml": template(example or PLAIN), "README.md": _readme(example)}
    taken = [folder / name for name in content if (folder / name).exists()]
    if taken:
        raise Conflict(f"{taken[0]} is there already; name another folder with --folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in content.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotReady(f"{folder} cannot be written: {error.strerror}; name another folder with --folder") from None
    return [folder / name for name in content]


def template(example: str) -> str:
    """The declaration of an example."""
    for place in PLACES:
        path = place / example / "serendip.toml"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise NotReady(f"the example {example!r} is not part of this installation; install serendip again")


def _readme(example: str | None) -> str:
    title = "A recommender" if example is None else f"A recommender, begun as the example {example}"
    return f"""# {title}

`serendip.toml` says what is recommended, and how. Everything below is run in this folder.

1. `serendip check` looks whether the file is right, and names the line where it is not.
2. `serendip import items.csv --as items`, `serendip import events.csv --as interactions`: your data.
3. `serendip check` again: now the file is held against the data.
4. `serendip train --promote` trains what the scenarios declare, measures it, and lets live what its gate lets pass.
5. `serendip serve` answers: `GET /v1/recommendations?user=...&scenario=...`.

`serendip scenarios` shows what is live where. A change of rules, page size or fallback acts at the next start without
training; another candidate needs `serendip train`.
"""
