"""What a transaction keeps to besides its execution options: time limits, and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from naked_sqla.backends import backend_of
from naked_sqla.backends.terms import LIMITS, Terms
from naked_sqla.exception import UnsupportedOption
from naked_sqla.sessions import checks

__all__ = ("Terms", "terms_of", "to_write")


def to_write(terms: Terms | None) -> Terms:
    """The same terms, for a transaction that begins as a writer."""
    return Terms(to_write=True) if terms is None else terms._replace(to_write=True)


def terms_of(dialects: Iterable[Any], defaults: Terms | None, **given: Any) -> Terms | None:
    """The terms that a factory, or one call of ``begin()``, is given.

    :param dialects: of all databases that the transaction may use.
    :param defaults: of the factory; settings are added to them, 0 takes a limit away.
    :raises TypeError: for a wrong type.
    :raises ValueError: for a negative number.
    :raises UnsupportedOption: where a database can't keep to one of them.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        return defaults
    for name, value in wanted.items():
        _check(name, value)
    settings = {**((defaults and defaults.settings) or {}), **wanted.pop("settings", {})}
    changed: dict[str, Any] = {name: float(value) or None for name, value in wanted.items()}
    terms = (defaults or Terms())._replace(settings=settings or None, **changed)
    for dialect in dialects:
        backend = backend_of(dialect)
        for name in (*LIMITS, "settings"):
            if getattr(terms, name) is not None and name not in backend.terms:
                raise UnsupportedOption(
                    f"begin({name}=...): {backend} has no way to keep to it; nothing was sent. "
                    f"Leave it out, or set it where the database has it, e.g. in connect_args."
                )
    return None if terms == Terms() else terms


def _check(name: str, value: Any) -> None:
    if name == "settings":
        if not isinstance(value, Mapping) or not all(
            isinstance(part, str) for item in value.items() for part in item
        ):
            raise TypeError(
                f"begin(settings=...) takes a dictionary of strings, such as "
                f'{{"app.tenant": "42"}}, not {value!r}.'
            )
        return
    checks.seconds(f"begin({name}=...)", value, note=" (0: no limit)")
