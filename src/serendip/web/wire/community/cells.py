"""Cells of similarity matrices on the wire."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from serendip.store import Cell
from serendip.web.sent import MAX_ROWS
from serendip.web.services import Parts
from serendip.web.wire.community.shared import (
    READING,
    WRITING,
    Asked,
    Envelope,
    MatrixNumber,
    Routes,
    Sent,
    ShownId,
    WireId,
    one_or_many,
    page,
    refusals,
    told,
)

router = Routes()


class CellSent(Sent):
    """How alike two are; ``matrix`` may be its number or its address."""

    row: WireId
    column: WireId
    value: float = Field(allow_inf_nan=False)
    matrix: MatrixNumber
    version: int = Field(ge=1, lt=2**31)


class CellTold(BaseModel):
    """How alike two are."""

    row: ShownId
    column: ShownId
    value: float
    matrix: int
    version: int


class CellsTold(Envelope):
    """A stretch of the cells."""

    results: list[CellTold]


class CellsAsked(Asked):
    """A stretch of the cells."""

    row: str | None = None
    column: str | None = None
    matrix: MatrixNumber | None = None
    version: int | None = Field(None, ge=0, lt=2**31)


def cell_json(cell: Cell) -> dict[str, Any]:
    """A cell as the wire has it."""
    return {
        "row": told(cell.row),
        "column": told(cell.column),
        "value": cell.value,
        "matrix": cell.matrix,
        "version": cell.version,
    }


@router.get(
    "/similarity-matrix-cells",
    operation_id="community_list_cells",
    response_model=CellsTold,
    responses=refusals(*READING),
)
def list_cells(request: Request, parts: Parts, asked: Annotated[CellsAsked, Query()]) -> Response:
    """Cells of all versions, by matrix, version and row, best first."""
    limit = asked.limit or parts.settings.page_size
    found, count = parts.store.cells(
        asked.matrix, asked.version, asked.row, asked.column, offset=asked.offset, limit=limit
    )
    return page(request, asked, limit, [cell_json(cell) for cell in found], count)


@router.post(
    "/similarity-matrix-cells",
    operation_id="community_create_cells",
    status_code=201,
    response_model=CellTold | list[CellTold],
    responses=refusals(*WRITING),
)
def create_cells(
    parts: Parts, sent: CellSent | Annotated[list[CellSent], Field(min_length=1, max_length=MAX_ROWS)]
) -> Response:
    """A cell, or a list of them: all are kept, or none where one cannot be; one that is there gets the new value."""
    several = sent if isinstance(sent, list) else [sent]
    cells = [Cell(one.row, one.column, one.value, one.matrix, one.version) for one in several]
    parts.store.add_cells(cells)
    return one_or_many([cell_json(cell) for cell in cells], isinstance(sent, list))
