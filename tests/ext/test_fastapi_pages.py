"""Pages by number and by key as a client sees them, writes that answer 404, and the schema."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import CheckConstraint, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, VersionConflict
from naked_sqla.ext.fastapi import (
    CursorPage,
    CursorParams,
    NumberedPage,
    PageParams,
    delete_or_404,
    install,
    update_or_404,
)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "paged"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column("label", unique=True)
    place: Mapped[str | None] = mapped_column("place_of_it")
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (CheckConstraint("place_of_it > 'p'", name="place_is_late"),)


class ItemOut(BaseModel):
    id: int
    name: str


class FewCursors(CursorParams, per_page=2, max_per_page=3):
    pass


async def nested(pages: Annotated[CursorParams, Depends()]) -> CursorParams:
    return pages


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    rows = [{"id": i, "name": f"n{i}", "version": 1} for i in range(1, 8)]
    await db.execute(insert(Item), rows)
    return db


@pytest.fixture
async def client(db: AsyncSessionFactory) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install(app, db, not_found=True, busy=True, dispose=False, metadata=Base.metadata)

    @app.get("/numbered", response_model=NumberedPage[ItemOut])
    async def numbered(pages: Annotated[PageParams, Depends()], request: Request) -> Any:
        found = await db.paginate(select(Item).order_by(Item.id), **pages.arguments)
        return NumberedPage[ItemOut].of(found, request)

    @app.get("/keyed", response_model=CursorPage[ItemOut])
    async def keyed(pages: Annotated[FewCursors, Depends()], request: Request) -> Any:
        found = await db.keyset(select(Item).order_by(Item.name), **pages.arguments)
        return CursorPage[ItemOut].of(found, request)

    router = APIRouter(prefix="/inside")

    @router.get("/{key}")
    async def inside(key: int, pages: Annotated[CursorParams, Depends(nested)]) -> list[int]:
        found = select(Item.id).order_by(Item.id)
        return list((await db.keyset(found, **pages.arguments)).items)

    app.include_router(router)

    @app.put("/items/{key}")
    async def rename(key: int, name: str, place: str | None = None) -> ItemOut:
        stored = await update_or_404(db, Item, key, name=name, place=place)
        return ItemOut.model_validate(stored, from_attributes=True)

    @app.delete("/items/{key}", status_code=204, responses={404: {"description": "Never there"}})
    async def remove(key: int) -> None:
        await delete_or_404(db, Item, key)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_pages_by_number_lead_to_each_other(client: httpx.AsyncClient) -> None:
    address: str | None = "/numbered?per_page=3&filter=a%26b"
    seen: list[int] = []
    while address:
        page = (await client.get(address)).json()
        seen += [item["id"] for item in page["items"]]
        assert (page["total"], page["pages"]) == (7, 3)
        assert set(page["items"][0]) == {"id", "name"}
        assert "filter=a%26b" in page["links"]["last"]
        address = page["links"]["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    back = (await client.get(page["links"]["prev"])).json()
    assert back["page"] == 2
    first = (await client.get(page["links"]["first"])).json()
    assert first["links"]["prev"] is None


async def test_pages_by_key_lead_to_each_other(client: httpx.AsyncClient) -> None:
    address: str | None = "/keyed"
    seen: list[int] = []
    pages: list[Any] = []
    while address:
        page = (await client.get(address)).json()
        pages.append(page)
        seen += [item["id"] for item in page["items"]]
        address = page["links"]["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    back = (await client.get(pages[-1]["links"]["prev"])).json()
    assert back["items"] == pages[-2]["items"]
    assert back["next_cursor"] == pages[-2]["next_cursor"]
    assert pages[0]["links"]["prev"] is None


async def test_cursors_and_sizes_of_clients(client: httpx.AsyncClient) -> None:
    assert (await client.get("/keyed?per_page=4")).status_code == 422
    assert (await client.get("/keyed?after=nonsense")).status_code == 400
    cursor = (await client.get("/keyed")).json()["next_cursor"]
    assert (await client.get(f"/keyed?after={cursor}&before={cursor}")).status_code == 400
    assert len((await client.get(f"/keyed?after={cursor}&per_page=3")).json()["items"]) == 3


def test_limits_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match=r"class Wrong\(CursorParams, per_page=20"):

        class Wrong(CursorParams, per_page=200):
            pass

    assert repr(FewCursors(after="x")) == "FewCursors(after='x', before=None, per_page=2)"


async def test_writes_that_answer_404(client: httpx.AsyncClient, db: AsyncSessionFactory) -> None:
    assert (await client.put("/items/1?name=new")).json() == {"id": 1, "name": "new"}
    answer = await client.put("/items/99?name=new")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Item 99 was not found."})
    assert (await client.delete("/items/1")).status_code == 204
    assert (await client.delete("/items/1")).status_code == 404
    with pytest.raises(VersionConflict):
        await update_or_404(db, Item, 2, name="x", version=7)
    async with db.begin() as session:
        stored = await update_or_404(session, Item, 2, {"name": "y"}, version=1)
        assert (stored.name, stored.version) == ("y", 2)
        with pytest.raises(HTTPException, match="gone"):
            await delete_or_404(session, Item, 99, description="gone")
    with pytest.raises(TypeError, match="session or a factory"):
        await delete_or_404(None, Item, 1)  # type: ignore[arg-type]


async def test_a_violated_constraint_names_the_attribute(client: httpx.AsyncClient) -> None:
    answer = await client.put("/items/1?name=n2")
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (409, ["body", "name"])
    answer = await client.put("/items/1?name=short&place=n")
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "place"])


async def test_the_schema_names_the_answers(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    paths = schema["paths"]
    assert set(paths["/numbered"]["get"]["responses"]) == {"200", "404", "422", "503"}
    for path in ("/keyed", "/inside/{key}"):
        assert set(paths[path]["get"]["responses"]) == {"200", "400", "404", "422", "503"}
    assert set(paths["/items/{key}"]["put"]["responses"]) == {"200", "404", "409", "422", "503"}
    removed = paths["/items/{key}"]["delete"]["responses"]
    assert removed["404"]["description"] == "Never there"
    assert removed["409"]["description"] == "Conflict"
    names = [parameter["name"] for parameter in paths["/keyed"]["get"]["parameters"]]
    assert names == ["after", "before", "per_page"]
    assert (await client.get("/openapi.json")).json() == schema
