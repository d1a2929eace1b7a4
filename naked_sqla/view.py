"""Views as mapped classes: created and dropped with the tables, selected from like a table.

A view has no rows of its own: ``insert()``, ``update()`` and their kin refuse its objects.  Its
table lies in a ``MetaData`` of its own beside that of the tables, so that what compares these with
a database (alembic's autogenerate) does not take it for a table that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import get_annotations
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, MetaData, Table, event, inspect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, MappedAsDataclass
from sqlalchemy.schema import CreateIndex, ExecutableDDLElement
from sqlalchemy.sql.expression import SelectBase

from naked_sqla._sqlalchemy import ddl_events
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "CreateView",
    "DropView",
    "RefreshMaterializedView",
    "init_view_in_base",
    "refresh_materialized_view",
    "view_table",
)

# where a table has its view, and where the metadata of the tables has that of the views
_VIEW = "naked_sqla.view"


class _View:
    """The definition of a view."""

    __slots__ = ("cascade", "materialized", "select")

    def __init__(self, select: SelectBase, materialized: bool, cascade: bool) -> None:
        self.select = select
        self.materialized = materialized
        self.cascade = cascade


def view_table(
    name: str,
    metadata: MetaData,
    select: SelectBase,
    *,
    materialized: bool = False,
    schema: str | None = None,
    primary_key: Iterable[str] | None = None,
    cascade: bool = False,
) -> Table:
    """Make a table for a view. ``create_all()`` creates the view, and ``drop_all()`` drops it.

    ``create_all()`` creates it after the tables, and ``drop_all()`` drops it before them. Map it as
    any table: ``__table__ = view_table(...)``, or ``registry.map_imperatively()``.

    :param name: the name of the view.
    :param metadata: the metadata of the tables that it selects from.
    :param select: the statement of the view. Its columns need names: ``func.count().label("n")``.
    :param materialized: make a materialized view (PostgreSQL).
    :param schema: the schema of the view; ``None``: that of ``metadata``.
    :param primary_key: the names of the columns that a mapper takes as the primary key; ``None``:
        those that belong to a primary key in their tables, or all columns if there is none.
    :param cascade: also drop the objects that depend on the view.
    :raises InvalidStatement: ``select`` is not a SELECT, two of its columns have the same name, or
        a column has no name.
    """
    if not isinstance(select, SelectBase):
        raise InvalidStatement(
            f"view_table({name!r}) takes the SELECT of the view, got {select!r}. Pass select(...)."
        )
    views = _views_of(metadata)
    key = name if (schema or metadata.schema) is None else f"{schema or metadata.schema}.{name}"
    if key in metadata.tables:
        raise InvalidStatement(f"view_table({name!r}): there is a table {key}. Rename the view.")
    table = Table(
        name,
        views,
        *_columns(name, select, None if primary_key is None else set(primary_key)),
        schema=schema,
        info={"is_view": True, _VIEW: _View(select, materialized, cascade)},
    )
    event.listen(table, "before_create", _refuse_as_table)
    event.listen(table, "before_drop", _refuse_as_table)
    return table


def _views_of(metadata: MetaData) -> MetaData:
    """The views of some tables; made once."""
    found: MetaData | None = metadata.info.get(_VIEW)
    if found is not None:
        return found
    made = MetaData(schema=metadata.schema, naming_convention=metadata.naming_convention)
    metadata.info[_VIEW] = made

    @event.listens_for(metadata, "after_create")
    def create(target: MetaData, conn: Connection, **of: Any) -> None:
        # a view can select from those only that were there before it
        for view in [] if ddl_events.names_tables(of) else made.tables.values():
            if not (ddl_events.checks_views(of["checkfirst"]) and _is_there(conn, view)):
                conn.execute(CreateView(view))
                for index in sorted(view.indexes, key=lambda index: str(index.name)):
                    conn.execute(CreateIndex(index))

    @event.listens_for(metadata, "before_drop")
    def drop(target: MetaData, conn: Connection, **of: Any) -> None:
        for view in [] if ddl_events.names_tables(of) else reversed(made.tables.values()):
            if not ddl_events.checks_views(of["checkfirst"]) or _is_there(conn, view):
                conn.execute(DropView(view))

    return made


def _columns(name: str, select: SelectBase, wanted: set[str] | None) -> list[Column[Any]]:
    columns: dict[str, Column[Any]] = {}
    selected = list(select.selected_columns)
    for number, column in enumerate(selected, 1):
        label = getattr(column, "name", None)
        # of a label without a name SQLAlchemy makes one, with a number in it
        if label is None or "%(" in label:
            raise InvalidStatement(
                f"view_table({name!r}): column {number} of the SELECT has no name. Give it one: "
                f"{column}.label('...')."
            )
        if label in columns:
            raise InvalidStatement(
                f"view_table({name!r}): two columns of the SELECT are called {label!r}. Rename one "
                f"of them: .label('...')."
            )
        is_key = bool(getattr(column, "primary_key", False)) if wanted is None else label in wanted
        columns[label] = Column(label, column.type, key=column.key, primary_key=is_key)
    missing = sorted((wanted or set()) - columns.keys())
    if missing:
        raise InvalidStatement(
            f"view_table({name!r}, primary_key=...): the SELECT has no column {missing[0]!r}. It "
            f"has: {', '.join(columns)}."
        )
    if not any(column.primary_key for column in columns.values()):
        for column in columns.values():
            column.primary_key = True
    return list(columns.values())


def _refuse_as_table(table: Table, conn: Connection, **of: Any) -> None:
    raise InvalidStatement(
        f"{table} is a view, and not created or dropped as a table is. Write create_all() or "
        f"drop_all() without tables=, or execute(CreateView(...)), execute(DropView(...))."
    )


def _is_there(conn: Connection, view: Table) -> bool:
    return inspect(conn).has_table(view.name, schema=conn.schema_for_object(view))


def _table_of(view: Any) -> Table:
    """The table of a view, or of a class that is mapped to one."""
    found: Any = view
    if isinstance(view, type):
        found = getattr(inspect(view, raiseerr=False), "local_table", None)
    if not isinstance(found, Table) or _VIEW not in found.info:
        raise InvalidStatement(
            f"{view!r} is not a view. Pass what view_table() has made, or a class mapped to it."
        )
    return found


# ---------------------------------------------------------------- DDL


class CreateView(ExecutableDDLElement):
    """``CREATE VIEW``, to be executed.

    :param view: a view, a class that is mapped to one, or a name.
    :param select: the statement of the view, where ``view`` is a name.
    :param materialized: make a materialized view, where ``view`` is a name.
    """

    def __init__(
        self, view: Any, select: SelectBase | None = None, *, materialized: bool = False
    ) -> None:
        self.view: Table | str = view if isinstance(view, str) else _table_of(view)
        self.materialized = materialized
        if isinstance(self.view, Table):
            found: _View = self.view.info[_VIEW]
            self.materialized, select = found.materialized, found.select
        if not isinstance(select, SelectBase):
            raise InvalidStatement(f"CreateView({view!r}, ...): pass the SELECT of the view.")
        self.select = select


class DropView(ExecutableDDLElement):
    """``DROP VIEW``, to be executed.

    :param view: a view, a class that is mapped to one, or a name.
    :param cascade: also drop the objects that depend on it.
    :param if_exists: do nothing where it does not exist.
    :param materialized: it is a materialized view, where ``view`` is a name.
    """

    def __init__(
        self,
        view: Any,
        cascade: bool = False,
        if_exists: bool = False,
        *,
        materialized: bool = False,
    ) -> None:
        self.view: Table | str = view if isinstance(view, str) else _table_of(view)
        self.cascade = cascade
        self.if_exists = if_exists
        self.materialized = materialized
        if isinstance(self.view, Table):
            found: _View = self.view.info[_VIEW]
            self.materialized, self.cascade = found.materialized, cascade or found.cascade


class RefreshMaterializedView(ExecutableDDLElement):
    """``REFRESH MATERIALIZED VIEW``, to be executed.

    :param view: the view, or a class that is mapped to it.
    :param concurrently: let others read meanwhile; the view needs a unique index for that.
    """

    def __init__(self, view: Any, *, concurrently: bool = False) -> None:
        self.view = _table_of(view)
        self.concurrently = concurrently
        if not self.view.info[_VIEW].materialized:
            raise InvalidStatement(
                f"{self.view} is a view that is not materialized: it always shows the stored rows. "
                f"Leave the refresh out."
            )


def refresh_materialized_view(view: Any, *, concurrently: bool = False) -> RefreshMaterializedView:
    """Make the statement that refreshes a materialized view: ``await session.execute(...)``.

    :param view: the view, or a class that is mapped to it.
    :param concurrently: let others read in the meantime; the view needs a unique index for that.
    :raises InvalidStatement: ``view`` is not a materialized view.
    """
    return RefreshMaterializedView(view, concurrently=concurrently)


@compiles(CreateView)
def _create_view(ddl: CreateView, compiler: Any, **options: Any) -> str:
    kind, name = _kind_and_name(ddl.view, ddl.materialized, compiler)
    if isinstance(ddl.view, Table):
        # a column of the SELECT may have another name there
        name += f" ({', '.join(map(compiler.preparer.format_column, ddl.view.columns))})"
    # no statement of a view can have parameters
    select = compiler.sql_compiler.process(ddl.select, literal_binds=True)
    return f"CREATE {kind} {name} AS {select}"


@compiles(DropView)
def _drop_view(ddl: DropView, compiler: Any, **options: Any) -> str:
    kind, name = _kind_and_name(ddl.view, ddl.materialized, compiler)
    cascade = " CASCADE" if ddl.cascade else ""
    return f"DROP {kind} {'IF EXISTS ' if ddl.if_exists else ''}{name}{cascade}"


@compiles(RefreshMaterializedView)
def _refresh(ddl: RefreshMaterializedView, compiler: Any, **options: Any) -> str:
    kind, name = _kind_and_name(ddl.view, True, compiler)
    return f"REFRESH {kind} {'CONCURRENTLY ' if ddl.concurrently else ''}{name}"


def _kind_and_name(view: Table | str, materialized: bool, compiler: Any) -> tuple[str, str]:
    preparer = compiler.preparer
    name: str = preparer.quote(view) if isinstance(view, str) else preparer.format_table(view)
    backend = backend_of(compiler.dialect)
    if materialized and not backend.has_materialized_views:
        raise InvalidStatement(
            f"{backend.name} has no materialized views, which {name} is. Make it a plain "
            f"view there: view_table(..., materialized=False)."
        )
    return ("MATERIALIZED VIEW" if materialized else "VIEW"), name


# ---------------------------------------------------------------- declarative bases


def init_view_in_base(cls: type) -> None:
    """Check the classes of a declarative base that are mapped to views.

    To be called in ``__init_subclass__`` of the base, before ``super().__init_subclass__()``.
    SQLAlchemy silently drops an annotation that is no column of ``__table__``, and can't map a
    subclass of ``MappedAsDataclass`` to an existing table.

    :param cls: the class that is being made.
    :raises InvalidStatement: it is mapped to a view, and is one of these two cases.
    """
    table = cls.__dict__.get("__table__")
    if not isinstance(table, Table) or _VIEW not in table.info:
        return
    if issubclass(cls, MappedAsDataclass):
        raise InvalidStatement(
            f"{cls.__name__} is mapped to the view {table}, and SQLAlchemy makes no dataclass of a "
            f"class with __table__. Derive it from a plain base with the same metadata: "
            f"class ViewBase(DeclarativeBase): metadata = Base.metadata. Or map a dataclass of "
            f"your own: registry().map_imperatively(cls, view)."
        )
    for key, annotation in get_annotations(cls).items():
        outer = str(annotation).partition("[")[0].rpartition(".")[2]
        if outer == Mapped.__name__ and key not in cls.__dict__ and key not in table.columns:
            raise InvalidStatement(
                f"{cls.__name__}.{key}: the view {table} has no column {key!r}. It has: "
                f"{', '.join(table.columns.keys())}."
            )
