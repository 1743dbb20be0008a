"""The keys of callers. Whatever is done to one is in the audit log, in the same transaction."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.store.audit import COMMAND_LINE, SERVICE, AuditEntry, append, hold
from service.store.engine_trouble import told
from service.store.schema import api_keys, audit
from service.store.utc_time import moment
from service.store.utc_type import AsStored, UtcTime


class StoredKey(NamedTuple):
    """A key as it is stored: of its secret only a digest. The earlier secret is good until `earlier_until`;
    no networks are all of them, and `requests_per_minute` None is the setting's. `malformed` names a column in which
    somebody wrote by hand what cannot be read; that key is no good."""

    id: str
    name: str
    scopes: frozenset[str]
    digest: str
    networks: tuple[str, ...]
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    earlier_digest: str | None = None
    earlier_until: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    malformed: str = ""

    def is_good(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


COLUMNS = [name for name in StoredKey._fields if name in api_keys.c]
TIMES = [name for name in COLUMNS if isinstance(api_keys.c[name].type, UtcTime)]
NO_TIME = datetime.min.replace(tzinfo=UTC)


class KeyStore:
    """Every method blocks, and raises StoreUnavailable on database trouble."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        # One statement needs no BEGIN and ROLLBACK around it, which are round trips on PostgreSQL.
        alone = engine.dialect.name == "postgresql"
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT") if alone else engine

    def all(self) -> list[StoredKey]:
        """All keys that were ever made, the oldest first."""
        query = sa.select(*map(_selected, COLUMNS))
        with told(), self._reading.connect() as connection:
            rows = connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.id)).all()
        return [_stored(dict(row._mapping)) for row in rows]

    def create(self, key: StoredKey) -> None:
        """Stores a new key."""
        row = {name: value for name, value in key._asdict().items() if name in COLUMNS}
        row |= {"scopes": " ".join(sorted(key.scopes)), "networks": " ".join(key.networks)}
        with self._changing() as connection:
            connection.execute(sa.insert(api_keys).values(row))
            append(connection, _entry(key.created_at, "key.created", key.id))

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Ends a key for good; False where there is none that could be ended."""
        return self._changed(key_id, now, "key.revoked", {"revoked_at": now})

    def rotate(self, key_id: str, digest: str, earlier_until: datetime, now: datetime) -> bool:
        """Gives a key another secret, and the present one until then; False where there is none that is good."""
        new = {"earlier_digest": api_keys.c.digest, "earlier_until": earlier_until, "digest": digest}
        return self._changed(key_id, now, "key.rotated", new)

    def tell_used(self, who: Mapping[str, str], now: datetime) -> None:
        """Tells the log that these keys, by id, were used on this day; once a day, whichever process says so first."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        today = sa.and_(audit.c.what == "key.used", audit.c.at >= day, audit.c.at < day + timedelta(days=1))
        with self._changing() as connection:
            hold(connection)
            known = set(connection.execute(sa.select(audit.c.subject).where(today)).scalars())
            for key_id in who.keys() - known:
                append(connection, AuditEntry(now, who[key_id], "key.used", key_id))

    def tell_last_use(self, used: Mapping[str, datetime]) -> None:
        """When these keys, by id, were last used."""
        with self._changing() as connection:
            for key_id, at in used.items():
                unused = sa.or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < at)
                connection.execute(sa.update(api_keys).where(api_keys.c.id == key_id, unused).values(last_used_at=at))

    def tell_refused(self, says: str, now: datetime) -> None:
        """Tells the log how many requests were refused."""
        with self._changing() as connection:
            append(connection, AuditEntry(now, SERVICE, "key.refused", says))

    def _changed(self, key_id: str, now: datetime, what: str, values: Mapping[str, object]) -> bool:
        expired = sa.and_(api_keys.c.expires_at.is_not(None), api_keys.c.expires_at <= now)
        good = sa.and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        if what != "key.revoked":
            good = sa.and_(good, sa.not_(expired))
        with self._changing() as connection:
            changed = connection.execute(sa.update(api_keys).where(good).values(values)).rowcount == 1
            if changed:
                append(connection, _entry(now, what, key_id))
        return changed

    @contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        with told(), self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection


def _entry(now: datetime, what: str, key_id: str) -> AuditEntry:
    return AuditEntry(now, COMMAND_LINE, what, key_id)


def _selected(name: str) -> sa.ColumnElement[Any]:
    """A time as the driver has it: of many rows one that cannot be read is not to keep the others from being."""
    column = api_keys.c[name]
    return sa.type_coerce(column, AsStored()).label(name) if name in TIMES else column


def _stored(row: dict[str, Any]) -> StoredKey:
    row |= {"scopes": frozenset(_words(row["scopes"])), "networks": _words(row["networks"]), "malformed": ""}
    for name in TIMES:
        try:
            row[name] = moment(row[name])
        except (TypeError, ValueError):
            row |= {name: NO_TIME if name == "created_at" else None, "malformed": name}
    most = row["requests_per_minute"]
    if not isinstance(most, int | None):
        row |= {"requests_per_minute": None, "malformed": "requests_per_minute"}
    return StoredKey(**row)


def _words(stored: object) -> tuple[str, ...]:
    return tuple(str(stored).split())
