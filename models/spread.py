"""The middle half of a figure."""

from models.evidence import Record


class Spread(Record):
    """The middle of a feature among some customers, or of a figure among their orders, and its quartiles."""

    median: float
    q1: float
    q3: float
