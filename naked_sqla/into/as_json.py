"""The rows of a statement as JSON: an array, or an object per line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from naked_sqla import into
from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import statements
from naked_sqla.into.encoding import encode, encode_objects
from naked_sqla.into.json_form import JsonForm
from naked_sqla.into.json_select import array_of
from naked_sqla.into.plain import NotPlain

if TYPE_CHECKING:
    from sqlalchemy import Connection, ScalarResult

__all__ = ("execute", "stream")

# classes and statements whose JSON is made of objects
_objects: BoundedCache[Any, bool] = BoundedCache(1000)


def execute(
    conn: Connection,
    cls: Any,
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> bytes:
    """Run a statement, and give its rows as a JSON array.

    :param cls: the class whose fields each object has; None: all that the statement loads.

    Other arguments and errors are those of :func:`naked_sqla.into.execute`.

    :raises ImportError: neither orjson nor msgspec is installed, and one is needed.
    """
    form, fit = _form(conn, cls, statement, parameters, validate, lines=False)
    if form.plain and fit is not None and not execution_options:
        found = array_of(
            conn,
            statement,
            parameters,
            fit,
            lambda: into.fit_anew(conn, form, statement, parameters, validate),
        )
        if found is not None:
            return found
    result: ScalarResult[Any] = into.execute(
        conn,
        form,  # type: ignore[arg-type]
        statement,
        parameters,
        validate=validate,
        execution_options=execution_options,
    )
    objects = result.all()
    return encode(objects) if form.plain else encode_objects(cls)(objects)


def stream(
    conn: Connection,
    cls: Any,
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> ScalarResult[bytes]:
    """As :func:`execute`, a line for each object, read chunk by chunk."""
    form, _ = _form(conn, cls, statement, parameters, validate, lines=True)
    result: Any = into.stream(
        conn,
        form,  # type: ignore[arg-type]
        statement,
        parameters,
        validate=validate,
        execution_options=execution_options,
    )
    return result  # type: ignore[no-any-return]


def _form(
    conn: Connection, cls: Any, statement: Any, parameters: Any, validate: bool, lines: bool
) -> tuple[JsonForm, into.Fit | None]:
    """How the JSON is made; a class with code of its own is filled first."""
    plain = JsonForm(cls, True, lines)
    key = (cls, validate, statements.cache_key_of(statement) if cls is not None else None)
    if key in _objects:
        return JsonForm(cls, False, lines), None
    try:
        fit = into.fit_of(conn, plain, statement, parameters, validate)
    except NotPlain:
        fit = None
    if cls is None or (fit is not None and (fit.nested is not None or fit.record is not None)):
        return plain, fit
    if key[2] is not None:
        _objects[key] = True
    # check here what is only known of a class
    encode_objects(cls)
    return JsonForm(cls, False, lines), None
