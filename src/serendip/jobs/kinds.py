"""Every kind of job, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from serendip.domain import Invalid
from serendip.jobs import data, similarity, training
from serendip.jobs.kind import Arguments, JobKind
from serendip.settings import Settings

JOBS: dict[str, JobKind] = {kind.name: kind for module in (training, data, similarity) for kind in module.KINDS}
"""One module a kind or two; each lists its own in ``KINDS``."""


def job_kind(name: str) -> JobKind:
    """The kind called ``name``."""
    if name not in JOBS:
        raise Invalid(f"no kind of job {name!r}; the kinds are {', '.join(sorted(JOBS))}", field="kind")
    return JOBS[name]


def checked(name: str, arguments: Mapping[str, Any]) -> Arguments:
    """What a job of the kind ``name`` is told, checked; what is wrong with it is named."""
    kind = job_kind(name)
    try:
        return kind.arguments.model_validate(dict(arguments))
    except Invalid as error:
        field = str(error.field)
        own = f"arguments.{field}" if field in kind.arguments.model_fields else "arguments"
        raise Invalid(str(error), field=field if field.startswith("arguments") else own) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "arguments"
        known = ", ".join(kind.arguments.model_fields) or "none"
        raise Invalid(
            f"the job {name}: {where}: {first['msg'].lower()}; the arguments of {name} are {known}",
            field=f"arguments.{where}",
        ) from None


def told(name: str, arguments: Mapping[str, Any], outside: Settings | None = None) -> dict[str, Any]:
    """The arguments as a job's record keeps them: checked, without those that are the usual ones.

    ``outside``: they came over HTTP, and files are those of the folders that these settings name.
    """
    found = checked(name, arguments)
    confine = job_kind(name).confine
    if outside is not None and confine is not None:
        found = confine(outside, found)
    plain: dict[str, Any] = found.model_dump(mode="json", exclude_defaults=True)
    return plain
