"""The methods of an ``AsyncSession`` and its factory that relate stored objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.caller import AsyncCaller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from naked_sqla.sessions.types import Options, Relationship
    from naked_sqla.write.reports import Relinked


class AsyncLinks(AsyncCaller):
    """Store the links of many-to-many relationships: rows of an association table."""

    __slots__ = ()

    async def link(
        self,
        obj: object,
        relationship: Relationship,
        objs: Iterable[object],
        *,
        execution_options: Options = None,
    ) -> int:
        """Link a stored object to others: ``link(team, Team.members, users)``.

        A link that exists already stays as it is, so that you may repeat the call. The call changes
        neither the objects nor their relationships.

        :param obj: the object, or its primary key: a value, or for a composite key a tuple or a
            dictionary by attribute.
        :param relationship: the attribute of a many-to-many relationship.
        :param objs: objects of the related class, or their primary keys.
        :param execution_options: options of each statement that the call sends.
        :return: the number of new links.
        :raises InvalidStatement: a relationship that is not many-to-many, or is ``viewonly``; an
            object of another class; an object that is not stored. Nothing was sent.
        :raises InvalidRequestError: a primary key that does not fit the class.
        :raises IntegrityError: an object does not exist any more.
        :raises RowGone: the criteria of the factory exclude an object.
        :raises RowExcluded: a link exists, and the criteria of its own class exclude it.
        """
        from naked_sqla.write import linking

        call = _call("link", linking.link, obj, relationship, objs, execution_options)
        added: int = await self._call(call)
        return added

    async def unlink(
        self,
        obj: object,
        relationship: Relationship,
        objs: Iterable[object],
        *,
        execution_options: Options = None,
    ) -> int:
        """Remove links; other links stay.  Arguments and errors as in :meth:`link`.

        :return: the number of removed links.
        """
        from naked_sqla.write import linking

        call = _call("unlink", linking.unlink, obj, relationship, objs, execution_options)
        removed: int = await self._call(call)
        return removed

    async def relink(
        self,
        obj: object,
        relationship: Relationship,
        objs: Iterable[object],
        *,
        execution_options: Options = None,
    ) -> Relinked:
        """Link an object to these objects only.  Arguments and errors as in :meth:`link`.

        On PostgreSQL this is one statement, unless further columns of the association table have
        defaults in the model. Otherwise it is a DELETE and an INSERT.

        :return: a named tuple: ``added``, the number of new links, and ``removed``, the number of
            removed ones.
        """
        from naked_sqla.write import linking

        call = _call("relink", linking.relink, obj, relationship, objs, execution_options)
        done: Relinked = await self._call(call)
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
