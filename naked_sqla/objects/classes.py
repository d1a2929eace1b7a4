"""Classes of objects: mapped ones, naked ones, others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect

from naked_sqla.exception import InvalidStatement

__all__ = ("is_view", "mapper_of", "model_of", "refuse_reserved")

# The mark of a class that the library has made, and what makes its instances.
RESERVED = ("__naked__", "__slots__", "__new__", "__getattribute__")


def mapper_of(cls: Any) -> Any:
    """The mapper of a mapped class; None for anything else."""
    found: Any = inspect(cls, raiseerr=False) if isinstance(cls, type) else None
    return found if hasattr(found, "class_manager") else None


def is_view(mapper: Any) -> bool:
    """True for a class that is mapped to a view (:func:`naked_sqla.view.view_table`)."""
    return any(table.info.get("is_view") for table in mapper.tables)


def model_of(cls: Any) -> Any:
    """The mapped class of a naked class; any other class itself."""
    naked = getattr(cls, "__naked__", None)
    if naked is None:
        return cls
    try:
        return naked.model
    except AttributeError:
        refuse_reserved(cls)
        raise


def refuse_reserved(model: Any) -> None:
    """Raise ``InvalidStatement`` for a class that maps an attribute of a name in ``RESERVED``."""
    mapper = mapper_of(model)
    for name in RESERVED:
        if mapper is not None and name in mapper.attrs:
            raise InvalidStatement(
                f"{model.__qualname__}.{name} is a mapped attribute, and naked_sqla needs this "
                f"name for the objects that it makes. Give the attribute another name; the column "
                f"may keep its own, as in `title = mapped_column({name!r}, ...)`."
            )
