"""The smallest effect of the advice that a segment is large enough to show, against its holdout group."""

import math
from collections.abc import Callable

from pydantic import Field

from models.evidence import Record
from models.wording import number, per_cent

DAYS = 90
ALPHA = 0.05  # two-sided: the chance to see an effect, up or down, where there is none
POWER = 0.8  # the chance to see an effect of the size said
ASSUMED = 0.5  # buyers' share where it was not measured: among those that ask for the largest rise
# Exact binomial power at the rise said is 0.79 to 0.88 from 5 in the smaller group on, for shares from 1 % to 95 %
# and nine treated to one held out; the level is at most 0.054. With 3 that power is 0.76, with 2 the level is 0.09.
FEWEST = 5
# The rule of thumb for means to be near normal; `detectable_revenue` says how near.
FEWEST_FOR_MEANS = 30
ADVICE = "test it together with other segments or hold out more"


class _Comparison(Record):
    """A comparison of the members who are treated with those held out, after `days`."""

    treated: int = Field(description="Members who get the advice.")
    control: int = Field(description="Members held out.")
    days: int = Field(description="How long to wait before comparing.")
    alpha: float = Field(description="Two-sided level of the test.")
    power: float = Field(description="Chance to see the uplift where it is there.")
    says: str = Field(description="The same in a sentence.")


class DetectableUplift(_Comparison):
    """The smallest rise of the share of members who buy again that a test can see."""

    base: float = Field(description="Share who buy again without the advice, 0 to 1.")
    assumed: bool = Field(description="Whether `base` is an assumption, because it was not measured.")
    uplift: float | None = Field(description="Rise of the share: 0.15 is 15 points. Null: no rise can be seen.")


class DetectableRevenue(_Comparison):
    """The smallest rise of the mean revenue per member that a test can see, in the data's currency."""

    mean: float = Field(description="Revenue per member in that time without the advice.")
    deviation: float = Field(description="Its standard deviation among members.")
    uplift: float | None = Field(description="Rise of the mean. Null: the groups are too small to compare means.")


def detectable_uplift(
    members: int, control: int, base: float | None, days: int = DAYS, *, alpha: float = ALPHA, power: float = POWER
) -> DetectableUplift:
    """The smallest rise of the share buying again within `days` that `members`, `control` of them held out, can show.

    `base` is the share, 0 to 1, who buy again without the advice; None where it was not measured: then 0.5 is
    assumed, and said to be. The test is that of two proportions with the pooled variance (chi-squared without
    continuity correction); by Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, ch. 4,
    for unequal groups, the rise d from p to q = p + d solves

        d = z(1 - alpha/2) · sqrt(m (1 - m) (1/n1 + 1/n0)) + z(power) · sqrt(q (1 - q) / n1 + p (1 - p) / n0)

    with n1 treated, n0 held out and m = (n1 q + n0 p) / (n1 + n0). `uplift` is None where not even a rise to 100 %
    would be seen, or where there are fewer than FEWEST in a group. Raises ValueError where a figure cannot be.
    """
    _check(members, control, days, alpha, power)
    if base is not None and not 0 <= base <= 1:
        raise ValueError(f"the share who buy again is {base!r} and must be from 0 to 1")
    treated, start = members - control, ASSUMED if base is None else base
    uplift = _smallest_rise(treated, control, start, alpha, power) if min(treated, control) >= FEWEST else None
    what = f"the share who buy again within {days} days"
    if uplift is None:
        said = f"cannot show a rise of {what} above {per_cent(start)}: {ADVICE}, or compare revenue instead."
    else:
        rise = f"from {per_cent(start)} to {per_cent(start + uplift)} or more"
        said = f"can show {what} rise {rise}{_odds(alpha, power)}."
    if base is None:
        said += f" The {per_cent(start)} is assumed: how many buy again was not measured."
    return DetectableUplift(
        treated=treated,
        control=control,
        base=round(start, 6),
        assumed=base is None,
        uplift=uplift,
        days=days,
        alpha=alpha,
        power=power,
        says=f"{_groups(treated, control)} {said}",
    )


def detectable_revenue(
    members: int,
    control: int,
    mean: float,
    deviation: float,
    days: int = DAYS,
    *,
    alpha: float = ALPHA,
    power: float = POWER,
) -> DetectableRevenue:
    """The smallest rise of mean revenue per member within `days` that `members`, `control` held out, can show.

    `mean` and `deviation` (standard, over all members, those who bought nothing included) are of the revenue in as
    many days without the advice. The rise is (z(1 - alpha/2) + z(power)) · deviation · sqrt(1/n1 + 1/n0), the normal
    approximation for two means of equal variance (Cohen 1988, Statistical Power Analysis, ch. 2). Compare with
    Welch's test: a rise that comes with more spread among the treated, the larger group, hides from Student's.
    The power is near, not at, what is said: 0.72 to 0.86 with 30 to 100 held out, where spending is as skewed as a
    lognormal with sigma 0.5 to 1.5 and 30 % buy nothing. `uplift` is None with fewer than FEWEST_FOR_MEANS in a
    group. Raises ValueError where a figure cannot be.
    """
    _check(members, control, days, alpha, power)
    if not (math.isfinite(mean) and math.isfinite(deviation) and deviation >= 0):
        raise ValueError(f"revenue cannot have the mean {mean!r} and the standard deviation {deviation!r}")
    treated, uplift = members - control, None
    if min(treated, control) >= FEWEST_FOR_MEANS:
        uplift = round(sum(_quantiles(alpha, power)) * deviation * math.sqrt(1 / treated + 1 / control), 2)
    what = f"revenue per customer within {days} days"
    if uplift is None:
        said = f"cannot show a rise of {what}: {ADVICE}."
    else:
        grown = f" (by {per_cent(uplift / mean)})" if mean > 0 else ""
        rise = f"from {number(mean)} to {number(mean + uplift)} or more{grown}"
        said = f"can show {what} rise {rise}{_odds(alpha, power)}."
    return DetectableRevenue(
        treated=treated,
        control=control,
        mean=round(mean, 2),
        deviation=round(deviation, 2),
        uplift=uplift,
        days=days,
        alpha=alpha,
        power=power,
        says=f"{_groups(treated, control)} {said}",
    )


def _smallest_rise(treated: int, control: int, base: float, alpha: float, power: float) -> float | None:
    """The d of `detectable_uplift`, or None.

    What stands on the right of the equation is concave in d, so d less that is convex; it starts at or below zero
    and therefore crosses zero once or, up to d = 1 - base, never.
    """
    level, sure = _quantiles(alpha, power)
    each = 1 / treated + 1 / control

    def beyond(rise: float) -> float:
        high = base + rise
        pooled = (treated * high + control * base) / (treated + control)
        under_null = math.sqrt(max(pooled * (1 - pooled), 0.0) * each)
        under_rise = math.sqrt(max(high * (1 - high), 0.0) / treated + base * (1 - base) / control)
        return rise - level * under_null - sure * under_rise

    return _root(beyond, 1 - base)


def _root(beyond: Callable[[float], float], most: float) -> float | None:
    """Where `beyond` goes from negative to positive, up to `most`, by bisection; None where it is not positive there.

    To 6 decimals, upwards, so that what is said is enough.
    """
    if beyond(most) <= 0:
        return None
    low, high = 0.0, most
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) > 0 else (middle, high)
    return min(math.ceil(high * 1e6) / 1e6, most)


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    """The quantiles of the standard normal for a two-sided level and for a power: 1.96 and 0.84 for 5 % and 80 %."""
    from statistics import NormalDist  # when a model is trained: one that is served has no need of half a megabyte

    return NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)


def _check(members: int, control: int, days: int, alpha: float, power: float) -> None:
    if not 0 <= control <= members:
        raise ValueError(f"{control} of {members} members cannot be held out")
    if days < 1:
        raise ValueError(f"a test takes at least one day, not {days}")
    if not (0 < alpha < 1 and 0.5 <= power < 1):
        raise ValueError(f"alpha {alpha!r} must be between 0 and 1, and power {power!r} from 0.5 to under 1")


def _groups(treated: int, control: int) -> str:
    return f"With {treated + control:,} members, {control:,} of them held out, a test"


def _odds(alpha: float, power: float) -> str:
    return f", with {per_cent(power)} power at the two-sided {per_cent(alpha)} level"
