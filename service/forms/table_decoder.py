"""The quick way to decode many usual rows of a table of customers, to columns; what is unusual is left to the
documented way."""

import math
import re
from collections.abc import Sequence

import numpy as np

from service.customers_decoder import moment_of
from service.forms.layout import AS_OF, CUSTOMER_ID, Layout
from service.forms.sent_columns import SentColumns
from service.served_model import ServedModel

# Whatever Python reads as a number of these letters is one in a table too, and nothing else is.
_OF_NUMBERS = re.compile(r"[0-9.eE+\-\n]*", re.ASCII)


class TableDecoder:
    """Decodes rows of one customer each, of which every cell is of the usual form, in less time."""

    def __init__(self, layout: Layout, served: ServedModel) -> None:
        """`layout` is of features."""
        self._columns = layout.columns
        self._features = layout.values
        self._deciding = frozenset(served.model.deciding)
        self._usual = not served.model.columns and layout.numbers.issuperset(layout.values)

    def decode(self, rows: Sequence[Sequence[str]]) -> SentColumns | None:
        """The customers in rows of cells, one at least; None for what is not of the usual form: it may be wrong, and it
        may be right in another way."""
        if not self._usual or set(map(len, rows)) != {len(self._columns)}:
            return None
        cells = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        features = {}
        try:
            for name in self._features:
                values = np.array(_numbers(cells[name]))
                if name in self._deciding or not np.isnan(values).all():
                    features[name] = values
            told = [moment_of(cell) if cell else None for cell in cells.get(AS_OF, ())]
        except ValueError:
            return None
        ids = [cell or None for cell in cells[CUSTOMER_ID]]
        return SentColumns(ids, told if any(told) else None, features)


def _numbers(cells: Sequence[str]) -> list[float]:
    """Raises ValueError where a cell has something else."""
    if not _OF_NUMBERS.fullmatch("\n".join(cells)):
        raise ValueError
    if "" in cells:
        return [float(cell) if cell else math.nan for cell in cells]
    return list(map(float, cells))
