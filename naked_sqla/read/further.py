"""The further statements: they select a relationship, or the columns of a subclass.

The statement is the one that ``selectinload`` runs: the related rows, with the key of the parent
they belong to, for a chunk of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.exc import InvalidRequestError, StatementError
from sqlalchemy.types import TupleType

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import compile_states, relationships, statements
from naked_sqla.exception import UnsupportedOption
from naked_sqla.read.keys import compares_columns, types_of_keys
from naked_sqla.read.loading import KEYS
from naked_sqla.read.plan import Later, LaterClass

__all__ = ("FurtherStatements", "related_select")


class FurtherStatements(Frozen):
    """A statement on whose behalf further ones are run.

    :ivar state: its ORM compile state.
    :ivar statement: as the caller passed it: its options hold the bound values.
    :ivar parameters: of the caller.
    """

    state: Any
    statement: Any
    parameters: Mapping[str, Any] | None = None

    def statement_for(self, item: Later, info: Any) -> Any:
        """The further statement; kept with the compiled one unless options hold bound values."""
        return self._kept(
            (FurtherStatements, item, info.load_with_join),
            lambda context: self._build(context, item, info),
        )

    def class_statement_for(self, item: LaterClass) -> Any:
        """The further statement for the columns of a subclass; kept like the others."""
        return self._kept(
            (FurtherStatements, item),
            lambda context: relationships.subclass_select(
                context, item.path, item.entity, item.asked
            ),
        )

    def _kept(self, key: Any, build: Callable[[relationships.LoadContext], Any]) -> Any:
        """A statement that is built once where the options hold no bound values."""
        cache = compile_states.state_cache(self.state)
        statement = cache.get(key)
        if statement is None:
            holds_values = relationships.options_hold_values(self.state)
            if holds_values:
                self._check_given()
            statement = build(relationships.LoadContext(self.state, self.statement))
            if not holds_values:
                cache[key] = statement
            elif statements.count_binds(statement, KEYS) > 1:
                raise UnsupportedOption(
                    f"A loader option has a parameter named {KEYS!r}, which is the name that the "
                    f"statement for the relationship has for its keys. Give it another name."
                )
        return statement

    def _check_given(self) -> None:
        """Refuse options with a named parameter that has no value.

        :raises StatementError: as SQLAlchemy does where the statement itself has one.
        """
        missing = statements.required_names(self.statement).difference(
            self.parameters or (), [KEYS]
        )
        if missing:
            name = min(missing)
            error = InvalidRequestError(f"A value is required for bind parameter {name!r}")
            raise StatementError(
                f"{error}, which a loader option of the statement has. Pass it with the "
                f"statement: execute(statement, {{{name!r}: ...}}).",
                str(self.statement),
                dict(self.parameters or {}),
                error,
            )

    def _build(self, context: relationships.LoadContext, item: Later, info: Any) -> Any:
        options = list(relationships.further_options(context))
        criteria = relationships.extra_criteria(item.option, context, item.target)
        if criteria is not None:
            options.append(criteria)
        exact = item.by == "selectin"
        statement = related_select(item.prop, item.target, info, exact=exact).options(*options)
        path = relationships.further_path(self.state, item.path)
        return relationships.continue_path(statement, path, recursive=item.depth is not None)


def related_select(prop: Any, target: Any, info: Any, *, exact: bool = False) -> Any:
    """``SELECT`` of the related rows with the keys of their parents, for ``primary_keys``.

    :param exact: True where keys are compared as ``selectinload()`` does.
    """
    pk_cols, in_expr, entity = info.pk_cols, info.in_expr, target.entity
    secondary = None if info.load_with_join else prop.secondary
    if not info.load_with_join and secondary is None and target.is_aliased_class:
        pk_cols = [relationships.adapt(target, column) for column in pk_cols]
        in_expr = relationships.adapt(target, in_expr)
    statement = select(*pk_cols, entity)
    if secondary is not None:
        statement = statement.select_from(secondary).join(
            entity, relationships.secondary_join(prop, target)
        )
    elif info.load_with_join:
        parent = relationships.parent_alias(prop)
        statement = statement.select_from(parent).join(getattr(parent, prop.key).of_type(entity))
    else:
        statement = statement.select_from(entity)
    keys: Any = bindparam(KEYS)
    if not exact and compares_columns(prop) and not info.load_with_join:
        # a value of the other side's type, as in lazyload()
        types = types_of_keys(prop, info)
        keys = bindparam(KEYS, type_=types[0] if len(types) == 1 else TupleType(*types))
    statement = statement.where(in_expr.in_(keys))
    if not prop.order_by:
        return statement
    if info.load_with_join:
        return relationships.order_joined(statement, prop)
    order = prop.order_by
    if target.is_aliased_class:
        order = [relationships.adapt(target, element) for element in order]
    return statement.order_by(*order)
