"""How much of its limit each caller has used, counted once for all processes of one database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.schema import quotas
from service.store.upsert import insert_into
from service.store.writing import writing

SECOND = 1_000_000_000  # nanoseconds, as all times here
MINUTE = 60 * SECOND
# The database's own clock, the same throughout a statement: whatever the clocks of several machines say, one counts.
# SQLite's is that of its machine, by milliseconds; the days of `julianday` are no whole numbers.
NOW: dict[str, sa.ColumnElement[int]] = {
    "sqlite": (sa.cast(sa.func.round(sa.func.julianday("now") * 86_400_000), sa.BigInteger) - 210_866_760_000_000)
    * 1_000_000,
    "postgresql": sa.cast(sa.extract("epoch", sa.func.statement_timestamp()) * SECOND, sa.BigInteger),
}


class Taken(NamedTuple):
    """Whether a request may pass, and the seconds until its caller has all requests back."""

    passes: bool
    reset: float


class Quotas:
    """The table of quotas; every method blocks, and raises StoreUnavailable on database trouble.

    The algorithm is that of service.buckets. `now` stands for another clock than the database's.
    """

    def __init__(self, engine: sa.Engine, now: sa.ColumnElement[int] | None = None) -> None:
        name = engine.dialect.name
        self._engine = engine
        # One statement needs no BEGIN and ROLLBACK around it, which are round trips on PostgreSQL.
        self._alone = engine.execution_options(isolation_level="AUTOCOMMIT") if name == "postgresql" else None
        self._now = NOW[name] if now is None else now
        self._taking = self._take(insert_into(quotas, name))
        self._looking = sa.select(quotas.c.full_at - self._now).where(quotas.c.caller == sa.bindparam("caller"))

    def take(self, caller: str, per_minute: int, count: int = 1) -> list[Taken]:
        """Counts so many requests of the caller, in their order, but for those that may not pass.

        One statement where all may, whoever else counts at the same time.
        """
        each = MINUTE // per_minute
        with self._writing() as connection:
            passed = self._pass(connection, caller, each, min(count, per_minute))
            taken = [Taken(True, reset / SECOND) for reset in passed]
            if len(taken) < count:
                # What keeps the next from passing may be over by now, and gone.
                reset = max(connection.execute(self._looking, {"caller": caller}).scalar() or 0, MINUTE - each)
                taken += [Taken(False, reset / SECOND)] * (count - len(taken))
        return taken

    def purge(self) -> int:
        """Removes the callers who have all requests back, which changes nothing; says how many."""
        with self._writing() as connection:
            return connection.execute(sa.delete(quotas).where(sa.not_(self._counts()))).rowcount

    def _pass(self, connection: sa.Connection, caller: str, each: int, count: int) -> list[int]:
        """How long all requests are away from being back after each that passes: all, or else of their halves."""
        reset = connection.execute(self._taking, {"caller": caller, "cost": count * each}).scalar()
        if reset is not None:
            return [reset - later * each for later in reversed(range(count))]
        if count == 1:
            return []
        half = count // 2
        passed = self._pass(connection, caller, each, half)
        return passed if len(passed) < half else passed + self._pass(connection, caller, each, count - half)

    def _take(self, insert: Any) -> sa.UpdateBase:
        """Counts requests of a cost, which is at most a minute, where all of them may pass."""
        full_at, cost = quotas.c.full_at, sa.bindparam("cost", type_=sa.BigInteger)
        new = insert.values(caller=sa.bindparam("caller"), full_at=self._now + cost)
        exhausted = sa.and_(self._counts(), full_at > self._now + (MINUTE - cost))
        more = sa.case((self._counts(), full_at), else_=self._now) + cost
        taken = new.on_conflict_do_update(index_elements=[quotas.c.caller], set_={"full_at": more}, where=~exhausted)
        returned: sa.UpdateBase = taken.returning(full_at - self._now)
        return returned

    def _counts(self) -> sa.ColumnElement[bool]:
        """Whether requests are still owed. Whoever came first may be counted second, and find a moment that is a little
        more than a minute away; one much further is of a clock that was set back since."""
        return quotas.c.full_at.between(self._now + 1, self._now + 2 * MINUTE)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        if self._alone is None:
            with writing(self._engine) as connection:
                yield connection
            return
        with told(), self._alone.connect() as connection:
            yield connection
