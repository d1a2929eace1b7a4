"""Fixtures of all tests: one database of its own for each test, on every backend and driver.

``engine``        an ``AsyncEngine`` on SQLite (a file), asyncpg and psycopg, in turn
``sync_engine``   an ``Engine`` on SQLite (a file) and psycopg, in turn
``backend``       which of them it is: ``"sqlite"``, ``"asyncpg"`` or ``"psycopg"``
``database_url``  the URL of the test's database, for a test that makes its own engines
``postgres_url``  ``postgres_url(driver)``: the URL of the test's PostgreSQL schema
``oracle``        SQLAlchemy's ORM beside naked_sqla, on each backend, with rows of the whole zoo

To run a test on some of the backends only::

    @pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ._alone import is_alone, run_alone
from ._examples import PROFILE
from ._postgres import own_schema, running_server, url_in_schema
from ._proxy import Proxy, running_proxy

if TYPE_CHECKING:
    from .oracle import Oracle

ASYNC_BACKENDS = ("sqlite", "asyncpg", "psycopg")
SYNC_BACKENDS = ("sqlite", "psycopg")

settings.load_profile(PROFILE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever uses a database on each backend, unless the test names its own."""
    if "backend" not in metafunc.fixturenames:
        return
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs["argnames"]
        if "backend" in (names.replace(" ", "").split(",") if isinstance(names, str) else names):
            return
    ids = SYNC_BACKENDS if "sync_engine" in metafunc.fixturenames else ASYNC_BACKENDS
    metafunc.parametrize("backend", ids, indirect=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The URL of the run's server; a server that does not start is an error of the run."""
    with running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: URL) -> Iterator[Callable[[str], URL]]:
    """A function from the name of a driver to the URL of this test's own, empty schema."""
    with own_schema(postgres_server) as schema:
        yield lambda driver: url_in_schema(postgres_server, driver, schema)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if pyfuncitem.get_closest_marker("alone") is None or is_alone():
        return None
    run_alone(pyfuncitem.nodeid)
    return True


@pytest.fixture(autouse=True)
def nobody_listens_to_all_engines() -> Iterator[None]:
    """Statements would not go the direct way any more in the tests that follow."""
    before = getattr(Engine, "_has_events", False)
    yield
    if getattr(Engine, "_has_events", False) is not before and not is_alone():
        pytest.fail("the test listens to all engines: mark it with pytest.mark.alone")


@pytest.fixture
def proxy(postgres_server: URL) -> Iterator[Proxy]:
    """A proxy in front of the server, which cuts, hangs and garbles where a test says so."""
    with running_proxy(postgres_server) as proxy:
        yield proxy


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Which backend the test runs on."""
    name: str = request.param
    return name


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of this test's own, empty database; of an async driver."""
    if backend == "sqlite":
        return URL.create("sqlite+aiosqlite", database=str(tmp_path / "test.sqlite"))
    url: URL = request.getfixturevalue("postgres_url")(backend)
    return url


@pytest.fixture
async def engine(database_url: URL) -> AsyncIterator[AsyncEngine]:
    """An async engine on this test's own, empty database; disposed of afterwards."""
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def sync_engine(database_url: URL) -> Iterator[Engine]:
    """A synchronous engine on this test's own, empty database; disposed of afterwards."""
    if database_url.get_backend_name() == "sqlite":
        database_url = database_url.set(drivername="sqlite+pysqlite")
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_zoo(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """The URL of the run's SQLite database with all models and their rows."""
    from .oracle import create_zoo

    path = tmp_path_factory.mktemp("oracle") / "zoo.sqlite"
    url = URL.create("sqlite+aiosqlite", database=str(path))
    create_zoo(url)
    return url


@pytest.fixture(scope="session")
def postgres_zoo(postgres_server: URL) -> Iterator[str]:
    """The name of the run's schema with all models and their rows."""
    from .oracle import create_zoo

    with own_schema(postgres_server) as schema:
        create_zoo(url_in_schema(postgres_server, "psycopg", schema))
        yield schema


@pytest.fixture(scope="module", params=ASYNC_BACKENDS)
def oracle(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    """An oracle on each backend; all tests of the run share its rows, and none may change them."""
    from .oracle import open_oracle

    backend: str = request.param
    if backend == "sqlite":
        url: URL = request.getfixturevalue("sqlite_zoo")
    else:
        schema: str = request.getfixturevalue("postgres_zoo")
        url = url_in_schema(request.getfixturevalue("postgres_server"), backend, schema)
    with open_oracle(backend, url) as found:
        yield found
