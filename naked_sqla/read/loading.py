"""How further statements are run on behalf of a statement; :mod:`.eager` runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.read.records import AsRecords, OfItems
    from naked_sqla.read.relationships import Depths

__all__ = ("KEYS", "ByKey", "Loading", "Row", "Step")

# the parameter of a further statement that takes the keys of the parents
KEYS = "primary_keys"

Row = tuple[Any, ...]

# related objects, by the key of their parent
ByKey = dict[Any, list[Any]]

# gives the steps that come next, before all that were to be done already
Step = Callable[[], "list[Step]"]


class Loading:
    """How further statements are run on behalf of a statement.

    :ivar fetch: runs a statement with parameters, gives its rows as tuples.
    :ivar conn: the connection of the statement.
    :ivar options: the execution options of the statement.
    :ivar parameters: of the caller's statement.
    :ivar depths: relationship -> levels of ``recursion_depth`` that are left.
    :ivar known: relationship -> rows found so far, for a ``recursion_depth`` without a limit.
    :ivar records: which of its objects are made as records; empty: none.
    :ivar shared: True when several rows may hold the same object, which is then made once.
    :ivar steps: takes the next steps for the objects of a further statement; None for the caller's
        own statement, which takes them at once.
    """

    __slots__ = (
        "conn",
        "depths",
        "fetch",
        "known",
        "options",
        "parameters",
        "records",
        "shared",
        "steps",
    )

    def __init__(
        self,
        fetch: Callable[[Loading, Any, Mapping[str, Any]], list[Row]],
        conn: Connection,
        options: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.fetch = fetch
        self.conn = conn
        self.options = options
        self.parameters = parameters
        self.depths: Depths | None = None
        self.known: Mapping[Any, ByKey] = {}
        self.records: OfItems = ()
        self.shared = False
        self.steps: list[Step] | None = None

    def below(self, shared: bool, records: AsRecords | None) -> Loading:
        """How the further statements of a further statement are run."""
        below = Loading(self.fetch, self.conn, self.options, self.parameters)
        below.depths = self.depths
        below.known = self.known
        below.shared = shared
        below.records = () if records is None else (records,)
        below.steps = []
        return below
