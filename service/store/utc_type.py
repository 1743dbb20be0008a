"""The type of columns that hold times."""

from datetime import datetime

import sqlalchemy as sa

from service.store.utc_time import TEXT_LENGTH, aware, moment, utc_text


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
