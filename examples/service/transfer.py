"""Many flights at once: a bulk upload and a download, both streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from sqlalchemy import inspect, select
from starlette.types import Send

from examples.models import Flight
from naked_sqla import AsyncSessionFactory

from .database import Database
from .schemas import FlightIn, Stored

router = APIRouter(tags=["transfer"])

MAX_LINE = 10_000
MAX_ROWS = 100_000
COLUMNS = [attribute.key for attribute in inspect(Flight).column_attrs]


@router.post("/upload", response_model=Stored, status_code=201)
async def upload_flights(request: Request, db: Database) -> Stored:
    """Store flights, one JSON object for each line of the body: all of them, or none.

    PostgreSQL takes them with COPY as they arrive, in constant memory; a slow client keeps a
    connection for as long.  SQLite has one writer, which must not wait for a client: there the body
    is read first, and then stored by ``insert_all()``.
    """
    rows = _rows(request)
    if db.engine.dialect.name == "postgresql":
        async with aclosing(rows), db.begin() as session:
            return Stored(rows=await session.copy_in(Flight, rows))
    everything = [row async for row in rows]
    async with db.begin() as session:
        return Stored(rows=len(await session.insert_all(everything, model=Flight)))


async def _rows(request: Request) -> AsyncGenerator[dict[str, Any], None]:
    """The rows of an upload.  422 names the first line that is wrong."""
    number = 0
    async for line in _lines(request):
        number += 1
        if number > MAX_ROWS:
            raise HTTPException(413, f"More than {MAX_ROWS} lines. Send them in several uploads.")
        if not line.strip():
            continue
        try:
            yield FlightIn.model_validate_json(line).model_dump()
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise HTTPException(422, [{**first, "line": number}]) from None


async def _lines(request: Request) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in request.stream():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_LINE:
            raise HTTPException(413, f"A line has more than {MAX_LINE} bytes.")
    if rest:
        yield rest


class RowsResponse(StreamingResponse):
    """A streamed answer that ends its generator, and the session in there, before it ends itself.

    Starlette leaves the generator to the garbage collector when the client has gone.  And the first
    part is made before the status is sent: that no connection is free is a 503, and no torn 200.
    """

    async def stream_response(self, send: Send) -> None:
        """Send the parts."""
        parts: Any = self.body_iterator
        async with aclosing(parts):
            self.body_iterator = _again(await anext(parts), parts)
            await super().stream_response(send)


async def _again(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for part in rest:
        yield part


@router.get("/flights.csv", response_class=RowsResponse)
async def download_flights(db: Database) -> RowsResponse:
    """All flights as CSV."""
    named = {"Content-Disposition": 'attachment; filename="flights.csv"'}
    return RowsResponse(_csv(db), media_type="text/csv; charset=utf-8", headers=named)


async def _csv(db: AsyncSessionFactory) -> AsyncIterator[str]:
    """The file in parts.  The session lives as long as the answer: so it is opened here."""
    statement = select(*(getattr(Flight, name) for name in COLUMNS)).order_by(Flight.id)
    async with db.begin() as session, session.stream(statement) as rows:
        yield _written([COLUMNS])
        async for part in rows.partitions(500):
            yield _written(part)


def _written(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
