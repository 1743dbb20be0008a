"""How the numbers of a customer table are written: decided from the column, and where it leaves that open, as in the
table that the model was made of."""

from training.errors import UnreadableSource
from training.reading import figures
from training.reading.figures import (
    DECIMAL_COMMA,
    GROUPING_COMMA,
    PLAIN,
    WITH_DECIMAL_COMMA,
    WITH_GROUPING_COMMA,
    FigureReading,
)
from training.reading.part import Part

FORMS = {
    "1.234,5": FigureReading(WITH_DECIMAL_COMMA, ".", ","),
    "1,234.5": FigureReading(WITH_GROUPING_COMMA, ",", "."),
}
# A point that has not three digits behind it groups no thousands.
DECIMAL_POINT = r"\.(\d{1,2}|\d{4,})\D*$"
LIKE_NUMBERS = r"^[^\d\p{L}]{0,3}\d[\d.,' \x{a0}]*\D{0,4}$"
MOST = 0.9  # of the values: a column in which they look like numbers holds no words


def decide_numbers(part: Part, field: str, recorded: str | None) -> tuple[FigureReading, str | None]:
    """How to read a column of text, and the name of its form in FORMS, None where its numbers are plain.

    What the values themselves prove counts before what is `recorded`. Raises UnreadableSource where they look like
    numbers and contradict each other.
    """
    column = part.table[field]
    look = part.table.aggregate(
        comma=column.contains(",").any(),
        point=column.re_search(DECIMAL_POINT).any(),
        proof=(column.re_search(DECIMAL_COMMA) | column.re_search(GROUPING_COMMA)).any(),
        like_numbers=column.re_search(LIKE_NUMBERS).mean(),
    )
    (seen,) = look.to_pyarrow().to_pylist()
    if recorded is not None and not seen["proof"] and (seen["comma"] or not seen["point"]):
        return FORMS[recorded], recorded
    if not seen["comma"]:
        return PLAIN, None
    try:
        reading = figures.decide(part, field)
    except UnreadableSource:
        if (seen["like_numbers"] or 0) >= MOST:
            raise
        return PLAIN, None  # words may have commas in them
    return reading, next(name for name, form in FORMS.items() if form.pattern == reading.pattern)
