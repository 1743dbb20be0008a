"""Times in the database: always aware, always UTC, and in the order of their text."""

from datetime import UTC, datetime

import sqlalchemy as sa

TEXT_LENGTH = len("2011-12-10T00:00:00.000000Z")
LENGTH_OF_ZONE = len("+00:00")


_latest = (datetime.min, "")  # noqa: DTZ901  (no moment that is ever asked for)


def utc_text(time: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always 27 characters, so that text order is time order."""
    global _latest
    known, text = _latest  # an answer is told and stored by one moment, and so are all of a batch
    if known is not time:
        in_utc = time if time.tzinfo is UTC else aware(time)
        text = in_utc.isoformat(timespec="microseconds")[:-LENGTH_OF_ZONE] + "Z"
        _latest = (time, text)
    return text


def aware(time: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is refused, as it names no moment."""
    if time.utcoffset() is None:
        raise ValueError(f"The time {time.isoformat()} has no time zone; give it one, for example UTC.")
    return time.astimezone(UTC)


class UtcTime(sa.types.TypeDecorator[datetime]):
    """TIMESTAMPTZ on PostgreSQL, fixed-width ISO 8601 text on SQLite, which knows no time zones."""

    impl = sa.String(TEXT_LENGTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[datetime] | sa.types.TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.String(TEXT_LENGTH))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | str | None:
        if value is None:
            return None
        return aware(value) if dialect.name == "postgresql" else utc_text(value)

    def process_result_value(self, value: datetime | str | None, dialect: sa.Dialect) -> datetime | None:
        return moment(value)


class AsStored(sa.types.TypeEngine[datetime | str]):
    """Such a column's value as the driver has it, for whoever reads it with `moment`."""


def moment(stored: datetime | str | None) -> datetime | None:
    """The moment that a database has as this. Raises ValueError where it is none."""
    if stored is None:
        return None
    return aware(datetime.fromisoformat(stored) if isinstance(stored, str) else stored)
