# Generated from naked_sqla/sessions/_async/links.py by tools/async_to_sync.py: do not edit.
"""The methods of a ``Session`` and its factory that relate stored objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from naked_sqla.sessions.types import Options, Relationship
    from naked_sqla.write.reports import Relinked


class Links(Caller):
    """Rows of the table in between of a many-to-many relationship."""

    __slots__ = ()

    def link(
        self,
        obj: object,
        relationship: Relationship,
        objs: Iterable[object],
        *,
        execution_options: Options = None,
    ) -> int:
        """Relate a stored object to others: ``link(team, Team.members, users)``.

        What is related already stays as it is, so that the call may be repeated.  Neither object is
        changed.

        :param obj: an object, or its primary key (a tuple for a composite one).
        :param relationship: a many-to-many relationship, by its attribute.
        :param objs: objects of the related class, or primary keys.
        :param execution_options: of each statement that the call sends.
        :return: how many links are new.
        :raises InvalidStatement: for a relationship that is not many-to-many, or ``viewonly``; for
            an object of another class, and for one that is not stored.
        :raises InvalidRequestError: for a key that does not fit.
        :raises IntegrityError: for an object that is not there any more.
        :raises RowGone: for one outside of the criteria of the factory.
        :raises RowExcluded: for a link that is there, outside of the criteria of its own class.
        """
        from naked_sqla.write import linking

        call = _call("link", linking.link, obj, relationship, objs, execution_options)
        added: int = self._call(call)
        return added

    def unlink(
        self,
        obj: object,
        relationship: Relationship,
        objs: Iterable[object],
        *,
        execution_options: Options = None,
    ) -> int:
        """Take links away; what is not related stays so.  Arguments and errors as in :meth:`link`.

        :return: how many links there were.
        """
        from naked_sqla.write import linking

        call = _call("unlink", linking.unlink, obj, relationship, objs, execution_options)
        removed: int = self._call(call)
        return removed

    def relink(
        self,
        obj: object,
        relationship: Relationship,
        objs: Iterable[object],
        *,
        execution_options: Options = None,
    ) -> Relinked:
        """Relate an object to these and no others.  Arguments and errors as in :meth:`link`.

        One statement on PostgreSQL, unless further columns of the table in between have defaults in
        the model; else a DELETE and an INSERT.

        :return: how many links are new, and how many are gone: ``added``, ``removed``.
        """
        from naked_sqla.write import linking

        call = _call("relink", linking.relink, obj, relationship, objs, execution_options)
        done: Relinked = self._call(call)
        return done


def _call(
    name: str,
    function: Callable[..., Any],
    obj: object,
    relationship: Any,
    objs: Iterable[object],
    options: Options,
) -> Any:
    if options is not None:
        checks.write_options(options)
    from naked_sqla.sessions.calls.related import LinkCall
    from naked_sqla.write.between import between_of

    return LinkCall(name, function, obj, (between_of(relationship, name), objs), {}, options)
