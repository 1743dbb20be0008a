"""Many numbers rounded at once, each as `round` does it."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

TOO_NEAR = 1e-6  # of a last digit; the product of a number and a power of ten errs by less


def rounded(values: Values, decimals: int) -> Values:
    """The numbers, of any shape and up to 10 ** 9, to so many decimals.

    `round` goes by what a number is exactly, numpy's by its product with a power of ten: halfway between two decimals
    they differ, and there `round` is asked.
    """
    power = 10.0**decimals
    scaled = values * power
    whole = np.rint(scaled)
    found = np.asarray(whole / power)
    halfway = np.abs(np.abs(scaled - whole) - 0.5) < TOO_NEAR
    if halfway.any():
        found[halfway] = [round(one, decimals) for one in values[halfway].tolist()]
    return found
