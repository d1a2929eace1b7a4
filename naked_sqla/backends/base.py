"""What a database is, reached through a driver: every fact and hook, with its cautious default.

A default holds for any dialect of SQLAlchemy: it refuses a feature before anything is sent, or does
as plain SQLAlchemy does.  A database overrides what it does differently, and a driver is a subclass
of its database.  Nothing outside this package asks for a dialect's name.
"""

from __future__ import annotations

from naked_sqla.backends.base_statements import ForStatements
from naked_sqla.backends.base_transactions import ForTransactions

__all__ = ("Backend",)


class Backend(ForTransactions, ForStatements):
    """The facts and hooks of one database behind one driver.

    :param name: of the database, as ``dialect.name`` has it.
    :param driver: as ``dialect.driver`` has it.
    """

    def __init__(self, name: str, driver: str) -> None:
        self.name = name
        self.driver = driver

    def __str__(self) -> str:
        return f"{self.name} through {self.driver}"
