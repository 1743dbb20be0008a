from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from service.store.schema import verified_models
from service.store.utc_time import utc_text

AWARE = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 (the strategy adds the zone)
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))]),
)


@given(AWARE, AWARE)
def test_texts_are_of_one_width_and_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    assert len(utc_text(one)) == len(utc_text(other)) == 27
    assert (utc_text(one) < utc_text(other)) == (one < other)
    assert datetime.fromisoformat(utc_text(one)) == one


@given(AWARE, st.lists(st.integers(-2_000_000, 2_000_000), max_size=5))
def test_moments_close_to_one_another_have_their_own_texts(moment: datetime, apart: list[int]) -> None:
    for one in [moment, *(moment + timedelta(microseconds=some) for some in apart), moment]:
        assert utc_text(one) == f"{one.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")


def test_a_time_comes_back_in_utc_to_the_microsecond(engine: sa.Engine) -> None:
    at = datetime(2024, 2, 29, 23, 30, 0, 1, tzinfo=timezone(timedelta(hours=-5)))
    with engine.begin() as connection:
        connection.execute(sa.insert(verified_models).values(digest="d", version="v", verified_at=at, libraries="{}"))
        back = connection.execute(sa.select(verified_models.c.verified_at)).scalar_one()
    assert back == at
    assert back.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(engine: sa.Engine) -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001 (what is being refused)
    insert = sa.insert(verified_models).values(digest="d", version="v", verified_at=naive, libraries="{}")
    with engine.begin() as connection, pytest.raises(sa.exc.StatementError, match="has no time zone"):
        connection.execute(insert)
