"""The tables, as the migrations build them; a test holds the two together.

What only one of the databases is told, such as how full pages are, is in the migrations: here it would have a process
on the other load its dialect, for 2 MB and 20 ms.
"""

import sqlalchemy as sa

from service.store.utc_type import UtcTime

# Every constraint has a name that can be told beforehand, so that a later migration can change it.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# An index entry must fit a PostgreSQL page at four bytes a character; no shop has longer ids.
LONGEST_CUSTOMER_ID = 256


def key(length: int) -> sa.String:
    """Text compared byte by byte on both databases, so that pages come in one and the same order."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


metadata = sa.MetaData(naming_convention=NAMING)

# Appended to, never changed. On SQLite the primary key is the table (no rowid): one tree fewer to write.
assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("id", key(26), primary_key=True),
    sa.Column("customer_id", key(LONGEST_CUSTOMER_ID), nullable=False),
    sa.Column("as_of", UtcTime, nullable=False),
    sa.Column("assigned_at", UtcTime, nullable=False),
    sa.Column("model_version", sa.String, nullable=False),
    sa.Column("segment_id", sa.Integer, nullable=False),
    sa.Column("segment_name", sa.String, nullable=False),
    sa.Column("runner_up_id", sa.Integer, nullable=False),
    sa.Column("runner_up_name", sa.String, nullable=False),
    sa.Column("confidence", sa.Float(53), nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Column("products", sa.Text, nullable=True),
    sa.CheckConstraint(f"length(customer_id) BETWEEN 1 AND {LONGEST_CUSTOMER_ID}", name="customer_id_length"),
    sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_range"),
    sa.CheckConstraint("segment_id BETWEEN 0 AND 2147483647", name="segment_id_range"),
    sa.Index(None, "customer_id", "id"),
)

# One row per customer: the newest `as_of`, and of equal ones the later assignment. No foreign key
# to `assignments`: both are written in one transaction by one writer, and checking the key again
# was measured to cost PostgreSQL a fifth of its rows per second.
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("customer_id", key(LONGEST_CUSTOMER_ID), primary_key=True),
    sa.Column("assignment_id", key(26), nullable=False),
    sa.Column("segment_id", sa.Integer, nullable=False),
    sa.Column("model_version", sa.String, nullable=False),
    sa.Column("as_of", UtcTime, nullable=False),
    sa.Column("confidence", sa.Float(53), nullable=False),
    sa.Index(None, "segment_id", "customer_id"),
)

# Models whose pipeline was proved equal to their arrays, by the artifact's digest.
verified_models = sa.Table(
    "verified_models",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("verified_at", UtcTime, nullable=False),
    sa.Column("libraries", sa.Text, nullable=False),
)

# Written by processes of the version before, which may run until they are replaced; a later migration drops it.
batches = sa.Table(
    "batches",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("first_id", key(26), nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
)

# Keys of callers. Of the secret there is a digest only; revoked keys stay, so that the log's ids go on meaning someone.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", key(12), primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("scopes", sa.String, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("earlier_digest", sa.String(64), nullable=True),
    sa.Column("earlier_until", UtcTime, nullable=True),
    sa.Column("networks", sa.String, nullable=False),
    sa.Column("requests_per_minute", sa.Integer, nullable=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=True),
    sa.Column("revoked_at", UtcTime, nullable=True),
    sa.Column("last_used_at", UtcTime, nullable=True),
    sa.CheckConstraint("requests_per_minute > 0", name="requests_per_minute_positive"),
)

# Who did what when, each entry hashed together with the one before; triggers refuse every change.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index(None, "what", "at"),
)

# The one row that says where the log ends: whoever adds to it holds this row, so that the chain has no forks.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.CheckConstraint("id = 1", name="only_one"),
)

# What was asked under an Idempotency-Key, and what was answered: see KeyRecord.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("body_digest", sa.String(64), nullable=True),
    sa.Column("first_id", key(26), nullable=False),
    sa.Column("model_version", sa.String, nullable=True),
    sa.Column("started_at", UtcTime, nullable=False, index=True),
    sa.Column("claim", sa.String(32), nullable=True),
    sa.Column("claimed_until", UtcTime, nullable=True),
    sa.Column("status", sa.Integer, nullable=True),
    sa.Column("answer", sa.LargeBinary, nullable=True),
    sa.Column("customer_digest", sa.String(64), nullable=True, index=True),
)

# One row: the key that makes digests of customers' ids, and a number that every change of the list below counts up.
suppression_list = sa.Table(
    "suppression_list",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)

# Customers of whom nothing may be stored any more, by the digest of their ids. A trigger refuses those whose id itself
# is here too; it is for as long as a process may not have read the list.
suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("customer_id", key(LONGEST_CUSTOMER_ID), nullable=True),
    sa.Column("suppressed_at", UtcTime, nullable=False),
    sa.Index(None, "customer_id"),
)

# What one of several processes does every so often, and when it last began.
chores = sa.Table(
    "chores",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("begun_at", UtcTime, nullable=False),
)
