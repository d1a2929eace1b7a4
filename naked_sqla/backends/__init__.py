"""One class for each database and each driver: its features, and what it does differently.

``base.py`` has every fact and hook, by topic.  A dialect without a room here gets its cautious
defaults.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naked_sqla.backends.base import Backend

__all__ = ("backend_of", "register")

# Where the class of a database is, and of one behind a driver: imported with its first use.
_ROOMS: dict[tuple[str, str | None], str] = {
    ("postgresql", None): "naked_sqla.backends.postgresql:PostgreSQL",
    ("postgresql", "asyncpg"): "naked_sqla.backends.asyncpg:Asyncpg",
    ("postgresql", "psycopg"): "naked_sqla.backends.psycopg:Psycopg",
    ("sqlite", None): "naked_sqla.backends.sqlite:SQLite",
    ("sqlite", "pysqlite"): "naked_sqla.backends.pysqlite:Pysqlite",
    ("sqlite", "aiosqlite"): "naked_sqla.backends.aiosqlite:Aiosqlite",
}
_DEFAULT = "naked_sqla.backends.base:Backend"

_backends: dict[tuple[str, str], Backend] = {}


def backend_of(dialect: Any) -> Backend:
    """The facts and hooks of a dialect.

    :param dialect: of an engine or a connection.
    """
    key = dialect.name, dialect.driver
    return _backends.get(key) or _made(key)


def register(backend: str, name: str, driver: str | None = None) -> None:
    """Give a database a room.

    :param backend: ``"package.module:Class"``, a subclass of :class:`~.base.Backend`.
    :param name: ``dialect.name`` of the database.
    :param driver: ``dialect.driver``; ``None``: for all drivers that have no room of their own.
    """
    _ROOMS[name, driver] = backend
    _backends.clear()


def _made(key: tuple[str, str]) -> Backend:
    name, driver = key
    room = _ROOMS.get(key) or _ROOMS.get((name, None)) or _DEFAULT
    module, _, cls = room.partition(":")
    made: Backend = getattr(import_module(module), cls)(name, driver)
    _backends[key] = made
    return made
