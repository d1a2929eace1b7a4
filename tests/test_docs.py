"""Every Python block of the README and the docs runs, and prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import exception

from ._pages import DOCS, FENCE, ROOT, Block, blocks_of, run_page

# The least number of Python blocks of each page; pages in words only are not here.
PAGES = {
    "README.md": 5,
    "docs/index.md": 1,
    "docs/quickstart.md": 6,
    "docs/sessions.md": 6,
    "docs/statements.md": 8,
    "docs/objects.md": 6,
    "docs/errors.md": 20,
    "docs/cookbook/autocommit-tests.md": 4,
    "docs/cookbook/distributed.md": 1,
    "docs/cookbook/exports.md": 3,
    "docs/cookbook/graphql.md": 3,
    "docs/cookbook/locks.md": 5,
    "docs/cookbook/outbox.md": 4,
    "docs/cookbook/side-by-side.md": 4,
    "docs/cookbook/soft-delete.md": 4,
    "docs/cookbook/time-zones.md": 3,
    "docs/cookbook/unique-errors.md": 5,
    "docs/guide/databases.md": 8,
    "docs/guide/eager.md": 5,
    "docs/guide/fastapi.md": 8,
    "docs/guide/from_flask_sqlalchemy.md": 7,
    "docs/guide/from_orm_session.md": 7,
    "docs/guide/into.md": 5,
    "docs/guide/json.md": 4,
    "docs/guide/oneshots.md": 2,
    "docs/guide/outcomes.md": 4,
    "docs/guide/observability.md": 6,
    "docs/guide/pagination.md": 8,
    "docs/guide/sqlmodel.md": 5,
    "docs/guide/streaming.md": 6,
    "docs/guide/transactions.md": 8,
    "docs/guide/hooks.md": 2,
    "docs/guide/related.md": 4,
    "docs/guide/views.md": 7,
    "docs/guide/writing.md": 17,
    "docs/guide/testing.md": 6,
}

# These take the URL of a PostgreSQL from the environment.
ON_POSTGRESQL = {
    "docs/cookbook/bulk.md": 6,
    "docs/cookbook/jobs.md": 5,
    "docs/cookbook/poolers.md": 3,
    "docs/cookbook/search.md": 5,
    "docs/cookbook/tenants.md": 7,
    "docs/guide/notifications.md": 2,
}


# The ORM session of SQLAlchemy 2.0 labels the columns of get(); the pages show that of 2.1.
LABELS = re.compile(r"\b(\w+)\.(\w+) AS \1_\2\b")


# Sentry listens to all engines of its process, for good; SQLModel has one registry in a process.
ALONE = {"docs/guide/observability.md", "docs/guide/sqlmodel.md"}


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.alone if page in ALONE else ()) for page in PAGES]
)
def test_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(blocks_of(ROOT / page)) >= PAGES[page]

    def check(block: Block, printed: str, sent: str) -> None:
        where = f"{block.path}, line {block.line}"
        if block.prints is not None:
            assert printed == block.prints, where
        if block.sends is not None:
            shown = LABELS.sub(r"\1.\2", sent)
            assert shown == block.sends, f"{where}: make docs-sql writes what is sent"

    run_page(page, check)


@pytest.mark.parametrize("page", ON_POSTGRESQL)
@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
def test_page_runs_on_postgresql(
    page: str, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url.render_as_string(hide_password=False))
    assert len(blocks_of(ROOT / page)) >= ON_POSTGRESQL[page]

    def check(block: Block, printed: str, _: str) -> None:
        if block.prints is not None:
            assert printed == block.prints, f"{block.path}, line {block.line}"

    run_page(page, check)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_the_copy_of_the_page_on_writing(engine: AsyncEngine) -> None:
    """On the page's own database there is no COPY."""
    blocks = blocks_of(DOCS / "guide" / "writing.md")
    models = blocks[0].code.partition("engine = ")[0]
    copying = next(block.code for block in blocks if "async def load(" in block.code)
    namespace: dict[str, Any] = {"__name__": "copying"}
    exec(compile(models + copying, "writing.md", "exec", dont_inherit=True), namespace)
    async with engine.begin() as conn:
        await conn.run_sync(namespace["Base"].metadata.create_all)
    db = namespace["AsyncSessionFactory"](engine)
    assert await namespace["load"](db) == 1000
    assert await db.scalar(select(func.count()).select_from(namespace["User"])) == 1000


# What the fixtures of the guide to testing build on, without the quickstart around it.
PRELUDE = """
import asyncio
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from naked_sqla import AsyncSessionFactory
from naked_sqla.testing import sandbox

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

async def create():
    engine = create_async_engine("sqlite+aiosqlite:///testing.db")
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(User), [{"name": name} for name in ("ada", "bob", "cy")])
    await engine.dispose()

asyncio.run(create())
"""


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_the_fixtures_of_the_guide_to_testing(plugin: str, tmp_path: Path) -> None:
    page = DOCS / "guide" / "testing.md"
    start = page.read_text(encoding="utf-8").partition("## Fixtures")[0].count("\n")
    code = "\n\n".join(block.code for block in blocks_of(page) if block.line > start)
    options = ["-p", "no:cacheprovider", "-W", "error", "-p", "no:xdist"]
    if plugin == "asyncio":
        options += ["-p", "no:anyio", "-o", "asyncio_mode=auto"]
        options += ["-o", "asyncio_default_fixture_loop_scope=function"]
    else:
        options += ["-p", "no:asyncio"]
        code += "\n\npytestmark = pytest.mark.anyio\n"
    (tmp_path / "test_guide.py").write_text(PRELUDE + code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", *options, "test_guide.py"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_no_page_is_left_out() -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    with_code = {
        str(path.relative_to(ROOT))
        for path in pages
        if blocks_of(path) and path.parent.name != "tutorial"
    }
    assert with_code == PAGES.keys() | ON_POSTGRESQL.keys()


def test_pages_on_the_blog_have_the_same_models() -> None:
    """Each page stands on its own; the block that they share has no second version."""
    pages = PAGES.keys() - {"docs/quickstart.md"}
    of_the_blog = [code for page in pages if "/blog.db" in (code := blocks_of(ROOT / page)[0].code)]
    assert len(of_the_blog) > 10
    assert len(set(of_the_blog)) == 1


def places(path: Path) -> set[str]:
    """What a link to a page may name after "#": its headings, as the site has them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    found = set()
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        named = re.search(r"\{#([\w-]+)\}$", title)
        words = re.sub(r"[^\w\s-]", "", title).strip().lower()
        found.add(named[1] if named else re.sub(r"[-\s]+", "-", words))
    return found


def test_links_between_pages_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            target, _, place = link.partition("#")
            if "://" in target:
                continue
            page = path.parent / target if target else path
            assert page.exists(), f"{path.name}: {link}"
            # the places of the reference come from docstrings
            if place and "reference" not in page.parts:
                assert place in places(page), f"{path.name}: {link}"


def test_the_tree_of_errors_is_the_one_of_the_module() -> None:
    def tree(text: str) -> list[str]:
        return [line.strip() for line in text.splitlines() if line.strip().startswith(("├", "└"))]

    shown = tree((DOCS / "errors.md").read_text(encoding="utf-8"))
    assert shown == tree(str(exception.__doc__))
    assert len(shown) == len(exception.__all__) - 1


# What the errors take whose text is not all that they take.
GIVEN: dict[str, tuple[Any, ...]] = {
    "ConversionError": ("User", "mood", "GLAD", "no such mood"),
    "PartialCommit": ("said", ["a"], ["b"]),
    "TransactionTimeout": ("said", "timeout", 5, None),
}


def test_each_error_has_its_section() -> None:
    """What the text of an error ends with is a heading of the page on errors."""
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    titles = [section.partition("\n")[0] for section in sections]
    errors = [name for name in titles if hasattr(exception, name)]
    assert sorted(errors) == sorted(exception.__all__)
    for name in errors:
        error = getattr(exception, name)(*GIVEN.get(name, ("said",)))
        assert str(error).endswith(f" (docs: errors#{name.lower()})"), name
        assert "```python" in sections[titles.index(name)], name


def test_an_error_of_an_application_leads_to_the_section_of_its_base() -> None:
    class Ours(exception.RowGone):
        pass

    assert str(Ours("gone")) == "gone (docs: errors#rowgone)"
    assert str(exception.RowGone("")) == ""
