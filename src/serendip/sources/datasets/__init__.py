"""Data sets that others published: what they are, where they come from, and what their files mean to us."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from serendip.domain import Invalid, NotFound
from serendip.sources.datasets import (
    amazon,
    books,
    crawled,
    films,
    inditex,
    movielens,
    online_retail,
    otto,
    reviews,
    sequences,
    stackexchange,
)
from serendip.sources.datasets.fetching import Progress, fetch_known
from serendip.sources.datasets.known import Known, LoadedSet, Part, Rows

__all__ = ["NAMES", "Known", "LoadedSet", "Part", "Rows", "fetch", "load"]

GROUPLENS = "GroupLens: research use, no redistribution, no commercial use without permission"

SETS = [
    Known(
        "movietweetings",
        "MovieTweetings",
        "film ratings from 0 to 10 taken from tweets, with titles and genres",
        "MIT",
        "https://github.com/sidooms/MovieTweetings",
        "a folder with ratings.dat and movies.dat",
    ),
    Known(
        "online-retail",
        "Online Retail",
        "invoice lines of a British gift shop, 2010-12 to 2011-12, cleaned and counted",
        "CC BY 4.0 (UCI); some copies CC0",
        "https://archive.ics.uci.edu/dataset/352/online+retail",
        "online_retail.csv or online_retail.csv.gz, or the folder that holds it (save the publisher's sheet as CSV)",
    ),
    Known(
        "otto",
        "OTTO recommender systems data set",
        "a shop's sessions with clicks, carts and orders",
        "CC BY 4.0",
        "https://github.com/otto-de/recsys-dataset",
        "a JSON lines file, a session a line, or the folder that holds train.jsonl",
    ),
    Known(
        "stackexchange",
        "Stack Exchange",
        "questions with text and tags; who asked and who answered",
        "CC BY-SA (version by date)",
        "https://archive.org/details/stackexchange",
        "a site's folder with Posts.xml (and Users.xml), or a folder of such folders",
    ),
    Known(
        "goodbooks",
        "goodbooks-10k",
        "10,000 books with authors, ratings counts and covers; items only",
        "CC BY-SA 4.0",
        "https://github.com/zygmuntz/goodbooks-10k",
        "a folder with books.csv",
    ),
    Known(
        "movielens-100k",
        "MovieLens 100K",
        "100,000 film ratings of 943 people, 1997 to 1998",
        GROUPLENS,
        "https://grouplens.org/datasets/movielens/100k/",
        "a folder with u.data, u.item and u.user",
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    ),
    Known(
        "movielens-1m",
        "MovieLens 1M",
        "1,000,209 film ratings of 6,040 people, 2000 to 2003",
        GROUPLENS,
        "https://grouplens.org/datasets/movielens/1m/",
        "a folder with ratings.dat, movies.dat and users.dat",
        "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    ),
    Known(
        "movielens-latest-small",
        "MovieLens latest, small",
        "about 100,000 film ratings of 610 people, 1996 to 2018",
        GROUPLENS,
        "https://grouplens.org/datasets/movielens/latest/",
        "a folder with ratings.csv and movies.csv (and links.csv and tags.csv, if there)",
        "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
    ),
    Known(
        "movielens",
        "MovieLens of any size",
        "film ratings; genres and people's words as tags, a link to each film's poster",
        GROUPLENS,
        "https://grouplens.org/datasets/movielens/",
        "a folder with ratings.csv and movies.csv, or with ratings.dat and movies.dat, or with u.data",
    ),
    Known(
        "amazon-books",
        "Amazon Books (2018)",
        "book reviews of people who wrote from 500 to 1,500, with descriptions, covers and prices",
        "none is stated; its authors ask to be cited (Ni, Li, McAuley 2019)",
        "https://nijianmo.github.io/amazon/",
        "a folder with a file of reviews, as Books.json.gz, and meta_Books.json.gz",
    ),
    Known(
        "amazon-sneakers",
        "Amazon Sneakers",
        "shoes with prices, and their ratings, as a crawler left them",
        "as the crawled site's terms say",
        "your own crawl",
        "a folder with items.jsonl and ratings.jsonl",
    ),
    Known(
        "product-reviews",
        "Product reviews with text",
        "a shop's reviews: who, of what, stars, summary and text; prices as text; one row a review",
        "as the file's own",
        "your own export",
        "a CSV, JSON lines or Parquet file with userName, itemName, description, price, rating, reviewTime, summary "
        "and reviewText, or the folder that holds it as reviews.csv",
    ),
    Known(
        "inditex",
        "Inditex",
        "a fashion shop's views, carts and purchases, 85% of sessions without a customer; products with pictures",
        "as its contest's terms say",
        "your own copy, or what examples/shop/generate.py makes",
        "a folder with products.parquet and train.parquet (and users.csv and embeddings.csv, if there)",
    ),
    Known(
        "sequences",
        "user item item ...",
        "any text file with a user and their items a line",
        "as the file's own",
        "your own file",
        "the file, or a folder with sequences.txt or train.txt",
    ),
]

LOADERS: dict[str, Callable[[Path], LoadedSet]] = {
    "movietweetings": films.movietweetings,
    "online-retail": online_retail.online_retail,
    "otto": otto.otto,
    "stackexchange": stackexchange.stackexchange,
    "goodbooks": books.goodbooks,
    "movielens-100k": films.movielens_100k,
    "movielens-1m": films.movielens_1m,
    "movielens-latest-small": partial(movielens.with_header, name="movielens-latest-small"),
    "movielens": movielens.movielens,
    "amazon-books": amazon.amazon_books,
    "amazon-sneakers": crawled.amazon_sneakers,
    "product-reviews": reviews.reviews,
    "inditex": inditex.inditex,
    "sequences": sequences.sequences,
}
"""For each known set, what reads its files."""

NAMES = {known.name: known for known in SETS}
"""All sets that we know, by name."""


def known(name: str) -> Known:
    """The set of this name."""
    if name not in NAMES:
        raise NotFound(f"no data set {name!r} is known; the known ones are {', '.join(NAMES)}")
    return NAMES[name]


def load(name: str, path: str | Path, reviews: tuple[int, int] | None = None) -> LoadedSet:
    """The files of a known set at ``path`` as users, items and interactions.

    ``reviews`` is for ``amazon-books``: the fewest and the most reviews of the people who are kept.
    """
    found, folder = known(name), Path(path)
    if not folder.exists():
        raise NotFound(f"there is nothing at {folder}; {name} is read from {found.files}")
    if reviews is None:
        return LOADERS[name](folder)
    if name != "amazon-books":
        raise Invalid(f"how many reviews people wrote is asked of amazon-books only, not of {name}", field="reviews")
    return amazon.amazon_books(folder, reviews)


def fetch(name: str, to: str | Path, progress: Progress | None = None) -> Path:
    """Get a known set from its publisher into a folder of its name under ``to``."""
    return fetch_known(known(name), Path(to), progress)
