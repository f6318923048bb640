"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genrescope.training.recipe_sections import ScheduleSection


def triangular2(step: float, *, base_rate: float, max_rate: float, half_cycle: float) -> float:
    """Return the cyclical learning rate of policy "triangular2".

    The rate climbs from `base_rate` to its peak in `half_cycle` steps and falls back in as many; each cycle's peak
    stands half as far above `base_rate` as that of the one before.

    Source: L. N. Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017. With
    `cycle = floor(1 + step / (2 half_cycle))` and `x = |step / half_cycle - 2 cycle + 1|` the rate is
    `base_rate + (max_rate - base_rate) max(0, 1 - x) / 2^(cycle - 1)`.

    Args:
        step: 0 or more; need not be whole.
        base_rate: lowest rate.
        max_rate: peak of the first cycle.
        half_cycle: steps from the lowest rate to the peak.

    Example:
        >>> [round(triangular2(step, base_rate=1, max_rate=9, half_cycle=4), 3) for step in range(0, 17, 2)]
        [1.0, 5.0, 9.0, 5.0, 1.0, 3.0, 5.0, 3.0, 1.0]
    """
    if step < 0 or half_cycle <= 0:
        raise ValueError(f"step {step}, half_cycle {half_cycle}; accepted are 0 or more, and more than 0")
    cycle = int(step // (2 * half_cycle)) + 1
    x = abs(step / half_cycle - 2 * cycle + 1)
    return base_rate + (max_rate - base_rate) * max(0.0, 1 - x) * 0.5 ** (cycle - 1)


def one_cycle(step: float, *, base_rate: float, max_rate: float, steps: int, warm_up: float) -> float:
    """Return the learning rate of one cycle: up along half a cosine, down along another.

    Source: L. N. Smith and N. Topin, Super-Convergence, 2018; cosines instead of straight lines as in fast.ai.

    Args:
        step: 0 to `steps`.
        base_rate: rate at both ends.
        max_rate: the peak.
        steps: steps in the whole training.
        warm_up: share of them before the peak; 0 begins there, which is cosine annealing.

    Example:
        >>> [round(one_cycle(step, base_rate=0, max_rate=1, steps=8, warm_up=0.25), 3) for step in range(9)]
        [0.0, 0.5, 1.0, 0.933, 0.75, 0.5, 0.25, 0.067, 0.0]
    """
    peak = warm_up * steps
    if step < peak:
        height = (1 - math.cos(math.pi * step / peak)) / 2
    else:
        height = (1 + math.cos(math.pi * min(1.0, (step - peak) / max(1e-9, steps - peak)))) / 2
    return base_rate + (max_rate - base_rate) * height


def rate_at(step: int, schedule: ScheduleSection, *, steps_per_epoch: int, epochs: int) -> float:
    """Return a recipe's learning rate at a step, counted from 0."""
    ends = {"base_rate": schedule.base_rate, "max_rate": schedule.max_rate}
    if schedule.name == "constant":
        return schedule.max_rate
    if schedule.name == "triangular2":
        return triangular2(step, **ends, half_cycle=schedule.half_cycle_epochs * steps_per_epoch)
    warm_up = schedule.warm_up if schedule.name == "one-cycle" else 0.0
    return one_cycle(step, **ends, steps=steps_per_epoch * epochs, warm_up=warm_up)
