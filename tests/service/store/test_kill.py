import json
import random
import subprocess
import sys
from collections import defaultdict

import sqlalchemy as sa

from service.store.assignment import Assignment
from service.store.database import open_engine
from service.store.schema import assignments, customers
from tests.service.store.committing_child import written

KILLS = 6


def acknowledged_until_killed(url: str) -> list[list[list[object]]]:
    """The submissions a child acknowledged before it was killed, at no particular moment."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.service.store.committing_child", url], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(random.randrange(1, 120))]
    child.kill()
    lines += child.stdout.readlines()
    child.stdout.close()
    child.wait()
    # The last line may be cut by the kill; then nobody has read it as an acknowledgement.
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_a_kill_loses_no_acknowledged_row(database_url: str) -> None:
    acknowledged = [rows for _ in range(KILLS) for rows in acknowledged_until_killed(database_url)]
    engine = open_engine(database_url)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # it may still be ending what a killed process had begun
            connection.execution_options(isolation_level="REPEATABLE READ")
        columns = [sa.cast(column, sa.Text) if column.name == "features" else column for column in assignments.c]
        history = [Assignment.from_row(row) for row in connection.execute(sa.select(*columns))]
        current = {row.customer_id: row.assignment_id for row in connection.execute(sa.select(customers))}
    engine.dispose()

    kept = {row.id: written(row) for row in history}
    assert len(kept) == len(history)
    assert len(acknowledged) >= KILLS
    for rows in acknowledged:
        for row in rows:
            assert kept[str(row[0])] == row

    # History and current rows were written together: the current row is the newest there is.
    of_customer = defaultdict(list)
    for record in history:
        of_customer[record.customer_id].append((record.as_of, record.id))
    assert current == {name: max(answers)[1] for name, answers in of_customer.items()}
