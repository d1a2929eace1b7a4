"""naked_sqla.ext.fastapi, over HTTP: a real server, a real client, real databases."""

# No annotations from the future: FastAPI reads those of handlers, which name what is local here.
import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import fastapi
import httpx
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Request,
    WebSocket,
)
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import URL, ForeignKey, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    with_loader_criteria,
)
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import AsyncSession, AsyncSessionFactory, InvalidSessionState, VersionConflict
from naked_sqla.ext.fastapi import (
    PageParams,
    first_or_404,
    get_or_404,
    install,
    one_or_404,
    session_dependency,
)
from naked_sqla.ext.fastapi import _session as module
from naked_sqla.testing import sandbox

from .._notes import COUNT, Note, checked_out, create, stored
from ._server import serving


@pytest.fixture
async def one(database_url: URL) -> AsyncIterator[AsyncSessionFactory]:
    """A factory whose pool has one connection, and no patience."""
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    await create(engine)
    yield AsyncSessionFactory(engine)
    await engine.dispose()


def note(words: str) -> Any:
    return insert(Note).values(text=words)


# ---------------------------------------------------------------- session_dependency


async def test_the_commit_comes_before_the_response(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    Session = Annotated[AsyncSession, Depends(session_dependency(one))]  # noqa: N806
    sessions: list[AsyncSession] = []

    @app.post("/notes/{words}", status_code=201)
    async def add(words: str, session: Session) -> dict[str, str]:
        sessions.append(session)
        await session.execute(note(words))
        return {"text": words}

    states: list[tuple[str, int]] = []
    inner = app.build_middleware_stack

    def stack() -> Any:
        asgi = inner()

        async def watching(scope: Any, receive: Any, send: Any) -> None:
            async def watch(message: Any) -> None:
                if message["type"] == "http.response.start":
                    states.append((sessions[-1].state, checked_out(one.engine)))
                await send(message)

            await asgi(scope, receive, watch)

        return watching

    app.build_middleware_stack = stack  # type: ignore[method-assign]
    async with serving(app) as client:
        answer = await client.post("/notes/a")
    assert (answer.status_code, answer.json()) == (201, {"text": "a"})
    assert states == [("closed", 0)]
    assert await stored(one.engine) == ["a"]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_commit_that_fails_is_a_500(one: AsyncSessionFactory) -> None:
    async with one.begin() as session:
        await session.execute(
            text("create table once (n int unique deferrable initially deferred)")
        )
    app = FastAPI()

    @app.post("/twice")
    async def twice(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> dict[str, str]:
        await session.execute(text("insert into once values (1), (1)"))
        return {"all": "well"}

    async with serving(app) as client:
        assert (await client.post("/twice")).status_code == 500
    assert await one.scalar(text("select count(*) from once")) == 0
    assert checked_out(one.engine) == 0


async def test_an_http_exception_rolls_back_and_comes_out(one: AsyncSessionFactory) -> None:
    app = FastAPI()

    @app.post("/refused")
    async def refused(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> None:
        await session.execute(note("a"))
        raise HTTPException(418, "short and stout")

    @app.post("/broken")
    async def broken(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> None:
        await session.execute(note("a"))
        raise RuntimeError

    @app.post("/wrong", response_model=int)
    async def wrong(session: Annotated[AsyncSession, Depends(session_dependency(one))]) -> Any:
        await session.execute(note("a"))
        return "no number"

    async with serving(app) as client:
        answer = await client.post("/refused")
        assert (answer.status_code, answer.json()["detail"]) == (418, "short and stout")
        assert (await client.post("/broken")).status_code == 500
        assert (await client.post("/wrong")).status_code == 500
    assert await stored(one.engine) == []
    assert checked_out(one.engine) == 0


async def test_nothing_is_held_while_a_response_streams(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    go_on, half = asyncio.Event(), asyncio.Event()

    @app.get("/stream")
    async def stream(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> StreamingResponse:
        await session.execute(note("before"))

        async def body() -> AsyncIterator[str]:
            yield "a"
            half.set()
            await go_on.wait()
            yield "b"

        return StreamingResponse(body())

    async with serving(app) as client:
        asked = asyncio.create_task(client.get("/stream"))
        await half.wait()
        # The pool has one connection, and gives it to whoever asks now.
        assert await stored(one.engine) == ["before"]
        go_on.set()
        assert (await asked).text == "ab"


async def test_nothing_is_held_by_background_tasks(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    done = asyncio.Event()

    async def later() -> None:
        async with one.begin() as session:
            await session.execute(note("later"))
        done.set()

    @app.post("/later")
    async def schedule(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
        tasks: BackgroundTasks,
    ) -> None:
        await session.execute(note("first"))
        tasks.add_task(later)

    async with serving(app) as client:
        assert (await client.post("/later")).status_code == 200
        await done.wait()
    assert await stored(one.engine) == ["first", "later"]


async def test_a_stream_over_the_session_says_that_it_is_closed(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    raised: list[BaseException] = []

    @app.get("/stream")
    async def stream(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            try:
                async for item in await session.stream_scalars(select(Note.text)):
                    yield item
            except InvalidSessionState as error:
                raised.append(error)

        return StreamingResponse(body())

    async with serving(app) as client:
        await client.get("/stream")
    assert len(raised) == 1


async def test_one_session_for_a_request(one: AsyncSessionFactory) -> None:
    app = FastAPI()

    async def user(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> AsyncSession:
        return session

    # A dependency that lives as long as the response may take the session, too.
    async def repository(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
    ) -> AsyncIterator[AsyncSession]:
        yield session

    @app.get("/")
    async def same(
        session: Annotated[AsyncSession, Depends(session_dependency(one))],
        other: Annotated[AsyncSession, Depends(user)],
        third: Annotated[AsyncSession, Depends(repository)],
    ) -> list[bool]:
        return [session is other, session is third, session.state == "open"]

    async with serving(app) as client:
        assert (await client.get("/")).json() == [True, True, True]
    assert "session" not in str(app.openapi()["paths"])


async def test_options_and_overrides(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    get_session = session_dependency(one, isolation_level="SERIALIZABLE")

    @app.get("/")
    async def level(session: Annotated[AsyncSession, Depends(get_session)]) -> str:
        return str(await session.conn.run_sync(lambda conn: conn.get_isolation_level()))

    async with serving(app) as client:
        assert (await client.get("/")).json() == "SERIALIZABLE"
        app.dependency_overrides[get_session] = lambda: None
        assert (await client.get("/")).status_code == 500

    assert get_session == session_dependency(one, isolation_level="SERIALIZABLE")
    assert get_session != session_dependency(one)
    assert len({get_session, session_dependency(one, isolation_level="SERIALIZABLE")}) == 1


async def test_a_sandbox_in_place_of_the_factory(one: AsyncSessionFactory) -> None:
    app = FastAPI()

    @app.post("/{words}")
    async def add(
        words: str, session: Annotated[AsyncSession, Depends(session_dependency(one))]
    ) -> int:
        await session.execute(note(words))
        return int(await session.scalar(COUNT) or 0)

    async with sandbox(one) as boxed:
        app.dependency_overrides[session_dependency(one)] = session_dependency(boxed)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = [client.post(f"/{number}") for number in range(5)]
            answers = await asyncio.gather(*asked)
            assert sorted(answer.json() for answer in answers) == [1, 2, 3, 4, 5]
            async with boxed.begin() as session:
                # By the task that has a session open: inside of that.
                assert (await client.post("/inside")).json() == 6
                assert await session.scalar(COUNT) == 6
        assert await boxed.scalar(COUNT) == 6
    assert await stored(one.engine) == []


async def test_without_auto_commit_the_handler_commits(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    db = AsyncSessionFactory(one.engine, auto_commit=False)

    @app.post("/{words}")
    async def add(
        words: str, session: Annotated[AsyncSession, Depends(session_dependency(db))]
    ) -> None:
        await session.execute(note(words))
        if words == "kept":
            await session.commit()

    async with serving(app) as client:
        await client.post("/lost")
        await client.post("/kept")
    assert await stored(one.engine) == ["kept"]


@pytest.mark.parametrize("middleware", [False, True])
async def test_a_client_that_hangs_up(one: AsyncSessionFactory, middleware: bool) -> None:
    """The handler runs to its end, or is cancelled (by a middleware): never half of it."""
    app = FastAPI()
    inside, gone, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    outcome: list[str] = []
    if middleware:

        @app.middleware("http")
        async def through(request: Request, call_next: Any) -> Any:
            return await call_next(request)

    @app.post("/")
    async def add(session: Annotated[AsyncSession, Depends(session_dependency(one))]) -> None:
        try:
            await session.execute(note("a"))
            inside.set()
            await gone.wait()
            await session.execute(note("b"))
            outcome.append("both")
        except BaseException:
            outcome.append("none")
            raise
        finally:
            ended.set()

    async with serving(app) as client:
        asked = asyncio.create_task(client.post("/"))
        await inside.wait()
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        gone.set()
        await ended.wait()
    # The server has waited for the request before it went down.
    expected = {"both": ["a", "b"], "none": []}[outcome[0]]
    assert await stored(one.engine) == expected
    assert checked_out(one.engine) == 0


async def test_what_session_dependency_refuses(
    one: AsyncSessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TypeError, match="takes an AsyncSessionFactory, not 'AsyncEngine'"):
        session_dependency(one.engine)  # type: ignore[arg-type]
    with pytest.raises(InvalidSessionState):
        session_dependency(one, isolation_level="AUTOCOMMIT")
    monkeypatch.setattr(module, "_HAS_SCOPE", False)
    for version in ("0.118.0", "0.119.1", "0.120.4"):
        monkeypatch.setattr(fastapi, "__version__", version)
        with pytest.raises(RuntimeError, match=f"FastAPI {version} ends .* Install FastAPI 0.121"):
            session_dependency(one)


# ---------------------------------------------------------------- 404


class Shelf(DeclarativeBase):
    pass


class Author(Shelf):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    nick: Mapped[str | None]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Shelf):
    __tablename__ = "book"

    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture
async def shelf(one: AsyncSessionFactory) -> AsyncSessionFactory:
    async with one.engine.begin() as conn:
        await conn.run_sync(Shelf.metadata.create_all)
        await conn.execute(insert(Author), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
        rows = [{"author_id": 1, "number": 1}, {"author_id": 1, "number": 2}]
        await conn.execute(insert(Book), rows)
    return one


async def detail(awaitable: Any) -> str:
    with pytest.raises(HTTPException) as caught:
        await awaitable
    assert caught.value.status_code == 404
    assert caught.value.__cause__ is None
    return str(caught.value.detail)


@pytest.mark.parametrize("through", ["session", "factory"])
async def test_found_or_404(shelf: AsyncSessionFactory, through: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        session = shelf if through == "factory" else await stack.enter_async_context(shelf.begin())

        assert (await get_or_404(session, Author, 1)).name == "a"
        full = await get_or_404(session, Author, 1, options=[joinedload(Author.books)])
        assert len(full.books) == 2
        assert (await get_or_404(session, Book, (1, 2))).number == 2
        assert await detail(get_or_404(session, Author, 9)) == "Author 9 was not found."
        assert await detail(get_or_404(session, Book, (1, 9))) == "Book (1, 9) was not found."
        assert await detail(get_or_404(session, Author, 9, description="who?")) == "who?"

        by_id = select(Author).order_by(Author.id)
        none = by_id.where(Author.id == 9)
        assert (await first_or_404(session, by_id)).id == 1
        both = await first_or_404(session, by_id.options(joinedload(Author.books)))
        assert len(both.books) == 2
        assert tuple(await first_or_404(session, select(Author.id, Author.name))) == (1, "a")
        # A row is there: that its value is NULL is no 404.
        assert await first_or_404(session, select(Author.nick)) is None
        assert await detail(first_or_404(session, none)) == "No Author was found."
        nothing = select(Author, Book).join(Author.books).where(Author.id == 9)
        assert await detail(first_or_404(session, nothing)) == "No Author, Book was found."
        raw = text("select 1 where 1 = 0")
        assert await detail(first_or_404(session, raw)) == "No row was found."
        assert await detail(first_or_404(session, none, description="gone")) == "gone"

        assert (await one_or_404(session, by_id.where(Author.id == 2))).id == 2
        assert await detail(one_or_404(session, none)) == "No Author was found."
        assert await detail(one_or_404(session, by_id)) == "More than one Author was found."
        assert await detail(one_or_404(session, by_id, description="gone")) == "gone"
        joined = by_id.where(Author.id == 1).options(joinedload(Author.books))
        assert len((await one_or_404(session, joined)).books) == 2
        if through == "session":
            # What is missing is no failure of the transaction.
            assert session.state == "open"  # type: ignore[union-attr]

    with pytest.raises(TypeError, match="a session or a factory was expected, not 'AsyncEngine'"):
        await get_or_404(shelf.engine, Author, 1)  # type: ignore[arg-type]


async def test_404_over_http(shelf: AsyncSessionFactory) -> None:
    app = FastAPI()

    @app.get("/authors/{key}")
    async def author(key: int) -> str:
        return (await get_or_404(shelf, Author, key)).name

    async with serving(app) as client:
        assert (await client.get("/authors/2")).json() == "b"
        answer = await client.get("/authors/7")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Author 7 was not found."})


# ---------------------------------------------------------------- PageParams


class WidePages(PageParams, per_page=50, max_per_page=500):
    pass


class StillWide(WidePages, per_page=7):
    pass


@pytest.mark.parametrize(
    ("pages", "usual", "most"), [(PageParams, 20, 100), (WidePages, 50, 500), (StillWide, 7, 500)]
)
def test_the_bounds_of_pages_are_in_the_schema(
    pages: type[PageParams], usual: int, most: int
) -> None:
    app = FastAPI()

    @app.get("/")
    async def read(params: Annotated[PageParams, Depends(pages)]) -> dict[str, int]:
        return {**params.arguments}

    page, per_page = app.openapi()["paths"]["/"]["get"]["parameters"]
    assert (page["name"], page["in"], page["required"]) == ("page", "query", False)
    assert page["schema"]["minimum"] == 1
    assert page["schema"]["maximum"] * most < 2**63
    assert page["schema"]["default"] == 1
    assert per_page["name"] == "per_page"
    shown = {key: per_page["schema"][key] for key in ("minimum", "maximum", "default")}
    assert shown == {"minimum": 1, "maximum": most, "default": usual}


async def test_pages_are_read_from_the_query() -> None:
    app = FastAPI()

    @app.get("/")
    async def read(pages: Annotated[PageParams, Depends()]) -> dict[str, int]:
        return {**pages.arguments}

    @app.get("/wide")
    async def wide(pages: Annotated[WidePages, Depends()]) -> dict[str, int]:
        return {**pages.arguments}

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def get(url: str) -> Any:
            answer = await client.get(url)
            return answer.json() if answer.status_code == 200 else answer.status_code

        assert await get("/") == {"page": 1, "per_page": 20, "max_per_page": 100}
        assert await get("/?page=3&per_page=100") == {
            "page": 3,
            "per_page": 100,
            "max_per_page": 100,
        }
        assert await get("/wide?per_page=500") == {"page": 1, "per_page": 500, "max_per_page": 500}
        for wrong in ("page=0", "page=-1", "page=x", "per_page=0", "per_page=101", f"page={2**63}"):
            assert await get(f"/?{wrong}") == 422, wrong


def test_pages_by_hand() -> None:
    assert repr(PageParams()) == "PageParams(page=1, per_page=20)"
    assert WidePages(page=2).arguments == {"page": 2, "per_page": 50, "max_per_page": 500}
    with pytest.raises(ValueError, match="Bad: per_page=20 is not between 1 and max_per_page=10"):

        class Bad(PageParams, max_per_page=10):
            pass


# ---------------------------------------------------------------- install


async def test_the_engine_is_disposed_of_at_shutdown(one: AsyncSessionFactory) -> None:
    steps: list[str] = []

    def lifespan(name: str) -> Any:
        @contextlib.asynccontextmanager
        async def run(_: Any) -> AsyncIterator[dict[str, str]]:
            steps.append(f"{name} up")
            yield {name: "state"}
            # The database is there for the application's own clean-up.
            await one.execute(note(name))
            steps.append(f"{name} down, {one.engine.pool.checkedin()} pooled")  # type: ignore[attr-defined]

        return run

    before = APIRouter(lifespan=lifespan("before"))
    after = APIRouter(lifespan=lifespan("after"))
    app = FastAPI(lifespan=lifespan("app"))
    app.include_router(before)
    install(app, one)
    app.include_router(after)

    @app.get("/")
    async def state(request: Request) -> list[str]:
        await one.scalars(select(Note))
        return sorted(request.state._state)

    async with serving(app) as client:
        assert (await client.get("/")).json() == ["after", "app", "before"]
        assert one.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    assert sorted(step for step in steps if step.endswith("up")) == [
        "after up",
        "app up",
        "before up",
    ]
    assert sum(step.endswith("down, 1 pooled") for step in steps) == 3
    assert one.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_an_application_that_does_not_start_disposes_too(one: AsyncSessionFactory) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await one.scalars(select(Note))
        raise RuntimeError("no")
        yield

    app = FastAPI(lifespan=lifespan)
    install(app, one)
    with pytest.raises(RuntimeError, match="no"):
        await app.router.lifespan_context(app).__aenter__()
    assert one.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_each_part_is_asked_for(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    install(app, one, dispose=False)

    @app.get("/none")
    async def none() -> None:
        await one.get_one(Note, 1)

    async with serving(app) as client:
        assert (await client.get("/none")).status_code == 500
        assert one.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    assert one.engine.pool.checkedin() == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("own", [None, "before", "afterwards"])
async def test_rows_that_are_gone_or_changed(one: AsyncSessionFactory, own: str | None) -> None:
    app = FastAPI()

    def answer(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(type(error).__name__, 410)

    if own == "before":
        app.add_exception_handler(StaleDataError, answer)
    install(app, one)
    if own == "afterwards":
        app.add_exception_handler(StaleDataError, answer)

    @app.get("/gone")
    async def gone() -> None:
        await one.update(Note, -1, text="x")

    @app.get("/moved")
    async def moved() -> None:
        raise VersionConflict("another version")

    async with serving(app) as client:
        found = [await client.get(path) for path in ("/gone", "/moved")]
    if own is None:
        assert [answer.status_code for answer in found] == [404, 409]
        assert [answer.json()["detail"] for answer in found] == ["Not Found", "Conflict"]
    else:
        assert [answer.status_code for answer in found] == [410, 410]
        assert [answer.json() for answer in found] == ["RowGone", "VersionConflict"]


async def test_a_row_in_the_way_that_criteria_exclude(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    install(app, one)
    others = one.with_options(with_loader_criteria(Note, Note.id != 1))
    await one.upsert(Note(id=1, text="mine"))

    @app.get("/taken")
    async def taken() -> None:
        await others.upsert(Note(id=1, text="yours"))

    async with serving(app) as client:
        assert (await client.get("/taken")).status_code == 409


async def test_stale_rows_may_be_left_to_the_application(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    install(app, one, stale=False)

    @app.get("/gone")
    async def gone() -> None:
        await one.delete(Note, -1)

    async with serving(app) as client:
        assert (await client.get("/gone")).status_code == 500


@pytest.mark.parametrize("own", [None, "before", "afterwards"])
async def test_violated_constraints(one: AsyncSessionFactory, own: str | None) -> None:
    app = FastAPI()

    def answer(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(type(error).__name__, 410)

    if own == "before":
        app.add_exception_handler(SQLAlchemyError, answer)
    install(app, one)
    if own == "afterwards":
        app.add_exception_handler(DBAPIError, answer)

    @app.get("/taken")
    async def taken() -> None:
        async with one.begin() as session:
            await session.execute(insert(Note), [{"id": 1, "text": "a"}])
            await session.execute(insert(Note), [{"id": 1, "text": "b"}])

    @app.get("/missing")
    async def missing() -> None:
        await one.execute(insert(Note), [{"id": 2, "text": None}])

    @app.get("/none")
    async def none() -> None:
        raise IntegrityError("INSERT", {}, Exception("of no driver"))

    async with serving(app) as client:
        found = [await client.get(path) for path in ("/taken", "/missing", "/none")]
    codes = [answer.status_code for answer in found]
    if own is not None:
        assert codes == [410, 410, 410]
        return
    assert codes == [409, 422, 500]
    (taken_field,), (missing_field,) = (answer.json()["detail"] for answer in found[:2])
    assert (taken_field["type"], taken_field["loc"]) == ("unique", ["body", "id"])
    assert (missing_field["type"], missing_field["loc"]) == ("not_null", ["body", "text"])


async def test_violated_constraints_may_be_left_to_the_application(
    one: AsyncSessionFactory,
) -> None:
    app = FastAPI()
    install(app, one, constraints=False)

    @app.get("/missing")
    async def missing() -> None:
        await one.execute(insert(Note), [{"id": 2, "text": None}])

    async with serving(app) as client:
        assert (await client.get("/missing")).status_code == 500


async def test_errors_that_a_client_can_do_something_about(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    install(app, one, not_found=True, busy=True, retry_after=3)

    @app.get("/none")
    async def none(session: Annotated[AsyncSession, Depends(session_dependency(one))]) -> None:
        await session.execute(note("lost"))
        await session.get_one(Note, -1)

    @app.get("/pages")
    async def pages(pages: Annotated[PageParams, Depends()]) -> list[str]:
        found = select(Note.text).order_by(Note.id)
        return list((await one.paginate(found, **pages.arguments)).items)

    @app.get("/keyset")
    async def keyset(after: str) -> None:
        await one.keyset(select(Note).order_by(Note.id), after=after)

    @app.get("/several")
    async def several() -> None:
        (await one.scalars(text("select 1 union select 2"))).one()

    @app.get("/busy")
    async def busy() -> None:
        async with one.begin():
            await one.scalars(select(Note))

    async with serving(app) as client:
        answer = await client.get("/none")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
        assert (await client.get("/pages")).json() == []
        answer = await client.get("/pages?page=7")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
        # The largest that is let in.
        assert (await client.get(f"/pages?page={2**31 - 1}")).status_code == 404
        assert (await client.get(f"/pages?page={2**31}")).status_code == 422
        answer = await client.get("/keyset?after=nonsense")
        assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid cursor"})
        assert (await client.get("/several")).status_code == 500
        answer = await client.get("/busy")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
        assert answer.json() == {"detail": "Service Unavailable"}
    assert await stored(one.engine) == []


async def test_the_applications_own_handlers_stay(one: AsyncSessionFactory) -> None:
    app = FastAPI()

    @app.exception_handler(NoResultFound)
    async def own(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse("own", 410)

    install(app, one, not_found=True, busy=True)

    @app.exception_handler(HTTPException)
    def form(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"problem": error.status_code}, error.status_code, error.headers)

    @app.get("/none")
    async def none() -> None:
        raise NoResultFound

    @app.get("/busy")
    async def busy() -> None:
        raise PoolTimeout

    async with serving(app) as client:
        assert (await client.get("/none")).status_code == 410
        answer = await client.get("/busy")
        assert (answer.status_code, answer.json()) == (503, {"problem": 503})
        assert answer.headers["retry-after"] == "1"


async def test_an_error_in_a_websocket_is_its_own(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    install(app, one, not_found=True)

    @app.websocket("/ws")
    async def talk(
        socket: WebSocket, session: Annotated[AsyncSession, Depends(session_dependency(one))]
    ) -> None:
        await socket.accept()
        await session.execute(note("lost"))
        await session.get_one(Note, -1)

    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b""}
    with pytest.raises(NoResultFound):
        await app(scope, receive, send)
    assert sent == ["websocket.accept"]
    assert await stored(one.engine) == []


async def test_what_install_refuses(one: AsyncSessionFactory) -> None:
    app = FastAPI()
    with pytest.raises(TypeError, match="takes a FastAPI application and an AsyncSessionFactory"):
        install(app, one.engine)  # type: ignore[arg-type]
    app.middleware_stack = app.build_middleware_stack()
    with pytest.raises(RuntimeError, match="has been started"):
        install(app, one)
