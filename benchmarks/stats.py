"""Medians, ratios, and how much to trust them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

RESAMPLES = 1000


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, with its spread."""

    value: float
    """The median of the one over the median of the other."""
    low: float
    high: float
    """The 95% bootstrap interval of ``value``; rounds are drawn, so pairs stay together."""
    q1: float
    q3: float
    """The quartiles of the ratios of the single rounds."""


def ratio(times: Sequence[float], base: Sequence[float]) -> Ratio:
    """Return the ratio of two contenders' times, which were measured in the same rounds."""
    pairs = list(zip(times, base, strict=True))
    # A generator of its own, seeded: a report printed twice from one run says the same.
    dice = random.Random(20130101)
    values = sorted(_of_medians(dice.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    q1, _, q3 = quantiles([a / b for a, b in pairs], n=4)
    edge = RESAMPLES * 25 // 1000
    return Ratio(_of_medians(pairs), values[edge], values[-edge - 1], q1, q3)


def _of_medians(pairs: Sequence[tuple[float, float]]) -> float:
    return median([a for a, _ in pairs]) / median([b for _, b in pairs])
