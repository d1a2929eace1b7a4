"""Classes of objects: mapped ones, naked ones, others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect

__all__ = ("mapper_of", "model_of")


def mapper_of(cls: Any) -> Any:
    """The mapper of a mapped class; None for anything else."""
    found: Any = inspect(cls, raiseerr=False) if isinstance(cls, type) else None
    return found if hasattr(found, "class_manager") else None


def model_of(cls: Any) -> Any:
    """The mapped class of a naked class; any other class itself."""
    naked = getattr(cls, "__naked__", None)
    return cls if naked is None else naked.model
