"""What a reader found in a body, however its chunks hold the customers."""

from collections.abc import Sequence

from service.assigned import Case
from service.assigning import case_of
from service.errors import InvalidRequest
from service.forms.checked_columns import checked
from service.forms.reader import Chunk, Item
from service.forms.sent_columns import SentColumns
from service.served_model import ServedModel
from tests.service.serving import NOW


def cases_in(chunks: Sequence[Chunk], served: ServedModel) -> list[object]:
    """What is to be assigned, or what is wrong with it."""
    found: list[object] = []
    for chunk in chunks:
        if isinstance(chunk, SentColumns):
            found += [told(case) for case in checked(chunk, served, NOW, lambda ids: {}).cases()]
        else:
            found += [told(case_or_error(item, served)) for item in chunk]
    return found


def case_or_error(item: Item, served: ServedModel) -> Case | Exception:
    if isinstance(item, Exception):
        return item
    try:
        return case_of(item, served, NOW)
    except InvalidRequest as error:
        return error


def told(case: Case | Exception) -> object:
    return (case.customer_id, case.as_of, dict(case.features)) if isinstance(case, Case) else str(case)
