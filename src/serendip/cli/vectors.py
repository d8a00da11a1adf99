"""Vectors of items: made of their texts, taken from a file, written to one."""

from __future__ import annotations

from pathlib import Path

import click

from serendip.cli.options import as_json, opened, print_json, where


@click.group()
def vectors() -> None:
    """Vectors of items for `content-knn`, `mlp` and diversity: made of texts, imported, exported."""


@vectors.command()
@click.argument("name")
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
    model: str | None,
    cache: str,
    size: int,
    refit: bool,
    json: bool,
    database: str | None,
    artifacts: str | None,
) -> None:
    """Make vectors of every item's title and text, and keep them in the store as NAME.

    A text that the cache has is not looked at again.
    """
    from serendip.cli.show import bar, out
    from serendip.flows.vectors import make_vectors

    with opened(database, artifacts) as (store, _), bar("vectors", 1000) as advance:
        folder = None if model is None else Path(model)

        def progress(done: int, total: int) -> None:
            advance(int(done / max(total, 1) * 1000))

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
@click.option("--to", "file", required=True, metavar="FILE", help="Ends in .parquet.")
@where
@as_json
def export_(name: str, file: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """Write the vectors NAME as Parquet: item, vector."""
    from serendip.cli.show import out
    from serendip.flows.vectors import export_vectors

    with opened(database, artifacts) as (store, _):
        n = export_vectors(store, name, Path(file))
    if json:
        print_json({"file": file, "rows": n})
    else:
        out.print(f"{n:,} vectors {name} are in {file}", markup=False)


@vectors.command("import")
@click.argument("name")
@click.argument("file")
@where
@as_json
def import_(name: str, file: str, json: bool, database: str | None, artifacts: str | None) -> None:
    """Keep the vectors of a Parquet file (item, vector) as NAME; items that are missing are made."""
    from serendip.cli.show import out
    from serendip.flows.vectors import import_vectors

    with opened(database, artifacts) as (store, _):
        n = import_vectors(store, name, Path(file))
    if json:
        print_json({"name": name, "rows": n})
    else:
        out.print(f"{n:,} vectors are kept as {name}", markup=False)
