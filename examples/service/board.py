"""The departures, as a page for browsers: plain HTML, written by hand."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from examples.models import Flight
from naked_sqla import KeysetPage
from naked_sqla.ext.fastapi import CursorParams

from .database import Database

router = APIRouter(include_in_schema=False)

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Departures</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left }
nav a { margin-right: 1rem }
.cancelled { color: #b00 }
</style>
<h1>Departures</h1>
<form>
<label>Airline <input name="carrier" value="$carrier" size="2" pattern="[A-Z0-9]{2}"></label>
<button>Show</button></form>
<table>
<thead><tr><th>Day<th>Time<th>Flight<th>Airline<th>From<th>To<th>Delay</thead>
<tbody>
$rows
</tbody>
</table>
<nav>$links<a href="/docs">API</a></nav>
</html>
""")


@router.get("/board", response_class=HTMLResponse)
async def board(
    db: Database,
    pages: Annotated[CursorParams, Depends()],
    # a form sends what is empty, too
    carrier: Annotated[str, Query(pattern=r"^([A-Z0-9]{2})?$")] = "",
) -> HTMLResponse:
    """Flights from the latest on; the links go on from the keys of the rows."""
    statement = select(Flight).options(joinedload(Flight.airline))
    if carrier:
        statement = statement.where(Flight.carrier == carrier)
    latest = statement.order_by(Flight.day.desc(), Flight.sched_dep_time.desc())
    page = await db.keyset(latest, **pages.arguments)
    rows = "\n".join(map(_row, page.items))
    links = _links(page, carrier, pages.per_page)
    return HTMLResponse(PAGE.substitute(carrier=carrier, rows=rows, links=links))


def _row(flight: Flight) -> str:
    time = f"{flight.sched_dep_time // 100:02}:{flight.sched_dep_time % 100:02}"
    name = f"{flight.carrier} {flight.number}"
    how = "cancelled" if flight.cancelled else f"{flight.dep_delay:+} min"
    cells = (flight.day, time, name, flight.airline.name, flight.origin, flight.dest)
    shown = "".join(f"<td>{escape(str(cell))}" for cell in cells)
    return f'<tr id="{flight.id}">{shown}<td class="{how.split()[0]}">{how}'


def _links(page: KeysetPage[Flight], carrier: str, per_page: int) -> str:
    links = ""
    for rel, said, name, cursor in (
        ("prev", "Later", "before", page.prev_cursor),
        ("next", "Earlier", "after", page.next_cursor),
    ):
        if cursor is not None:
            query = {name: cursor, "per_page": per_page} | ({"carrier": carrier} if carrier else {})
            links += f'<a rel="{rel}" href="?{escape(urlencode(query))}">{said}</a>'
    return links
