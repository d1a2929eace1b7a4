"""For tests of applications: transactions that leave nothing behind, and statements counted."""

from __future__ import annotations

from ._count import Statement, Statements, count_statements, expect_statements
from ._sandbox import sandbox

__all__ = ("Statement", "Statements", "count_statements", "expect_statements", "sandbox")
