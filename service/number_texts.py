"""Columns of numbers as the texts that JSON has for them."""

import msgspec
import numpy as np
from numpy.typing import NDArray

NOT_KNOWN = "null"


def number_texts(column: NDArray[np.float64]) -> list[str]:
    """Each number as JSON has it, `NOT_KNOWN` for NaN. Of a whole column, for a tenth of what one by one costs."""
    return msgspec.json.encode(column.tolist())[1:-1].decode().split(",") if len(column) else []
