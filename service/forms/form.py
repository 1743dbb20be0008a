"""The forms of a batch, by media type."""

from enum import StrEnum


class Form(StrEnum):
    """A media type that batches are sent and answered in."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"

    @property
    def streams(self) -> bool:
        """Whether it is read and answered piece by piece, however long it is."""
        return self is not Form.JSON


# What one customer may take of a stream: a line, or all rows that make one customer.
MOST_LINE_BYTES = 1_048_576
MOST_CUSTOMER_BYTES = 4 * MOST_LINE_BYTES
