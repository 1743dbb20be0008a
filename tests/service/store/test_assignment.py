from service.store.assignment import Assignment
from service.store.schema import assignments
from tests.service.store.records import assignment


def test_the_fields_stand_in_the_order_of_the_columns() -> None:
    assert list(Assignment._fields) == [column.name for column in assignments.c]


def test_a_row_becomes_a_record() -> None:
    record = assignment()
    assert Assignment.from_row(list(record)) == record


def test_feature_values_keep_numbers_texts_and_nulls() -> None:
    record = assignment(features='{"recency": 1.5, "country": "France", "gap": null}')
    assert record.feature_values == {"recency": 1.5, "country": "France", "gap": None}
