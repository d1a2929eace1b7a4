"""Ratios of times that were measured in the same rounds, and how much to trust them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

RESAMPLES = 1000


@dataclass(frozen=True)
class Ratio:
    """How many times longer the one takes than the other.

    Each round gives one ratio. Their median is the figure, since a machine that is busy for a while
    slows both sides of a round, but only some of the rounds.
    """

    value: float
    """The median of the rounds' ratios."""
    low: float
    high: float
    """The 95% bootstrap interval of ``value``."""
    q1: float
    q3: float
    """The quartiles of the rounds' ratios."""
    of_medians: float
    """The ratio of the two medians, for comparison."""


def ratio(times: Sequence[float], base: Sequence[float]) -> Ratio:
    """Return the ratio of two contenders' times, round by round."""
    rounds = [a / b for a, b in zip(times, base, strict=True)]
    # A generator of its own, seeded: a report printed twice from one run says the same.
    dice = random.Random(20130101)
    values = sorted(median(dice.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES))
    q1, middle, q3 = quantiles(rounds, n=4)
    edge = RESAMPLES * 25 // 1000
    return Ratio(
        middle, values[edge], values[-edge - 1], q1, q3, of_medians=median(times) / median(base)
    )
