"""The learning rate of every step: plain numbers, asked alike by a first run, a resumed one and a test."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dsg.config import Config


def learning_rate(
    config: Config, step: int, epoch: int, steps_per_epoch: int, validation: Sequence[float] = ()
) -> float:
    """The rate of one step.

    Args:
        config: reads LEARNING_RATE, SCHEDULE, GAMMA, STEPSIZE, PATIENCE, WARMUP_STEPS and EPOCHS of TRAIN.
        step: steps done before this one, over the whole run.
        epoch: the epoch the step belongs to, counted from 1.
        steps_per_epoch: to know where the cosine ends.
        validation: for the plateau, a number of each finished epoch, lower being better.
    """
    options = config.train
    if options.schedule == "cosine":
        rate = options.learning_rate * cosine(step, options.epochs * steps_per_epoch)
    elif options.schedule == "plateau":
        rate = options.learning_rate * plateau(validation, options.patience, options.gamma)
    else:
        rate = options.learning_rate * step_decay(epoch, options.stepsize, options.gamma)
    return rate * warm_up(step, options.warmup_steps)


def step_decay(epoch: int, drops: tuple[int, ...], gamma: float) -> float:
    """The share of the initial rate left in an epoch (from 1): it drops *after* each epoch named in `drops`.

    Example:
        >>> step_decay(4, (4, 8), 0.5), step_decay(5, (4, 8), 0.5)
        (1.0, 0.5)
    """
    return gamma ** sum(drop < epoch for drop in drops)


def cosine(step: int, total: int) -> float:
    """From 1 at the first step to 0 after the last one, and 0 beyond."""
    return 0.5 * (1.0 + math.cos(math.pi * min(step / max(total, 1), 1.0)))


def plateau(validation: Sequence[float], patience: int, gamma: float) -> float:
    """The share of the initial rate left after epochs with these results, of which lower ones are better.

    As in the baselines' release: an epoch that is no better than the best so far counts; once more than
    `patience` have come in a row, that one and each further one multiplies the rate by `gamma`.

    Example:
        >>> plateau([1.0, 0.9, 0.9, 0.95], patience=1, gamma=0.5)
        0.5
    """
    best, waited, share = math.inf, 0, 1.0
    for value in validation:
        if value < best:
            best, waited = value, 0
            continue
        if waited >= patience:
            share *= gamma
        waited += 1
    return share


def warm_up(step: int, steps: int) -> float:
    """From 1 / steps at the first step to 1 at the last of `steps`, and 1 from there on."""
    return min(1.0, (step + 1) / steps) if steps > 0 else 1.0
