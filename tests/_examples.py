"""How many examples the random tests draw.

A few, the same ones each time, so that a change alone can make a test fail.  To search for more::

    NAKED_SQLA_EXAMPLES=10000 pytest tests/write/test_hierarchies_random.py
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The number of examples of each random test, if somebody asks for more than a few.
ASKED = os.environ.get("NAKED_SQLA_EXAMPLES")


PROFILE = "naked_sqla"
settings.register_profile(
    PROFILE,
    deadline=None,
    derandomize=ASKED is None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def examples(few: int) -> settings:
    """The settings of a random test that draws a few examples unless more are asked for."""
    return settings(settings.get_profile(PROFILE), max_examples=int(ASKED or few))
