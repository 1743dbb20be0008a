"""Numbers as the texts that JSON has for them."""

import msgspec
import numpy as np
from numpy.typing import NDArray

NOT_KNOWN = "null"
SHARE_DECIMALS = 4
_SHARE = f".{SHARE_DECIMALS}f"


def number_texts(column: NDArray[np.float64] | NDArray[np.intp]) -> list[str]:
    """Each number as JSON has it, `NOT_KNOWN` for NaN: of a whole column, for a tenth of what one by one costs."""
    return msgspec.json.encode(column.tolist())[1:-1].decode().split(",") if len(column) else []


def number_bytes(column: NDArray[np.float64] | NDArray[np.intp]) -> list[bytes]:
    """The same as bytes."""
    return msgspec.json.encode(column.tolist())[1:-1].split(b",") if len(column) else []


def share_text(share: float) -> str:
    """What `repr` and `round` make of a number from 0 to 1, with `SHARE_DECIMALS`, in half the time."""
    text = format(share, _SHARE).rstrip("0")
    return text + "0" if text[-1] == "." else text
