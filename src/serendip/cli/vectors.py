"""Vectors of items and of what was said with interactions: made of texts, taken from a file, written to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from serendip.cli.options import as_json, opened, print_json, where


@click.group()
def vectors() -> None:
    """Vectors of items for `content-knn`, `mlp` and diversity, and of what interactions say for `mlp`."""


def of_what(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that says whose vectors are meant."""
    return click.option(
        "--of",
        type=click.Choice(["items", "interactions"]),
        default="items",
        show_default=True,
        help="Interactions: of the text and summary of their context, such as a review's.",
    )(command)


@vectors.command()
@click.argument("name")
@of_what
@click.option("--model", metavar="DIR", help="A sentence model's folder (BERT; safetensors); without it, by words.")
@click.option(
    "--cache", default="var/vectors", show_default=True, metavar="DIR", help="Where vectors are kept by text."
)
@click.option(
    "--size", default=64, type=click.IntRange(1, 4096), show_default=True, help="Numbers of a vector of words."
)
@click.option("--refit", is_flag=True, help="Learn the words' directions anew from the items there are now.")
@where
@as_json
def make(
    name: str,
    of: str,
    model: str | None,
    cache: str,
    size: int,
    refit: bool,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Make vectors of every item's title and text, and keep them in the store as NAME.

    A text that the cache has is not looked at again. Of interactions, those that have no vector called NAME yet get
    one; the directions of words are those learnt from items.
    """
    from serendip.cli.show import bar, out
    from serendip.flows.said import make_said
    from serendip.flows.vectors import make_vectors

    if refit and of == "interactions":
        raise click.UsageError("--refit learns from items: make their vectors anew with it, then those of interactions")

    with opened(database, artifacts) as (store, _), bar("vectors", 1000) as advance:
        folder = None if model is None else Path(model)

        def progress(done: int, total: int) -> None:
            advance(int(done / max(total, 1) * 1000))

        if of == "interactions":
            said = make_said(store, name, Path(cache), folder, size, progress)
            if json:
                print_json(said.to_dict())
            else:
                out.print(
                    f"{said.interactions:,} interactions have vectors {name} of {said.size} numbers by {said.encoder}: "
                    f"{said.made:,} made now",
                    markup=False,
                )
            return
        made = make_vectors(store, name, Path(cache), folder, size, refit, progress)
    if json:
        print_json(made.to_dict())
        return
    out.print(
        f"{made.items:,} items have vectors {name} of {made.size} numbers by {made.encoder}: {made.made:,} texts "
        f"encoded, {made.from_cache:,} from the cache, {made.without_words:,} items without words",
        markup=False,
    )


@vectors.command("export")
@click.argument("name")
@of_what
@click.option("--to", "file", required=True, metavar="FILE", help="Ends in .parquet.")
@where
@as_json
def export_(name: str, of: str, file: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """Write the vectors NAME as Parquet: item, vector; of interactions text, vector, each text once."""
    from serendip.cli.show import out
    from serendip.flows.said import export_said
    from serendip.flows.vectors import export_vectors

    with opened(database, artifacts) as (store, _):
        n = (export_vectors if of == "items" else export_said)(store, name, Path(file))
    if json:
        print_json({"file": file, "rows": n})
    else:
        out.print(f"{n:,} vectors {name} are in {file}", markup=False)


@vectors.command("import")
@click.argument("name")
@click.argument("file")
@of_what
@where
@as_json
def import_(name: str, file: str, of: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """Keep the vectors of a Parquet file (item, vector) as NAME; items that are missing are made.

    Of interactions (text, vector): each that says a text of the file gets its vector.
    """
    from serendip.cli.show import out
    from serendip.flows.said import import_said
    from serendip.flows.vectors import import_vectors

    with opened(database, artifacts) as (store, _):
        n = (import_vectors if of == "items" else import_said)(store, name, Path(file))
    if json:
        print_json({"name": name, "rows": n})
    else:
        out.print(f"{n:,} vectors are kept as {name}", markup=False)


@vectors.command()
@click.argument("name")
@click.option("--of", type=click.Choice(["interactions"]), required=True, help="Whose vectors are meant.")
@where
@as_json
def remove(name: str, of: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """Take out the vectors NAME of interactions; a model that looks at them answers without."""
    from serendip.cli.show import out

    with opened(database, artifacts) as (store, _):
        n = store.remove_event_vectors(name)
    if json:
        print_json({"name": name, "of": of, "rows": n})
    else:
        out.print(f"{n:,} vectors {name} of {of} are taken out", markup=False)
