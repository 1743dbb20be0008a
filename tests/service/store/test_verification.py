import sqlalchemy as sa

from service.store.reader import Reader
from service.store.schema import verified_models
from service.store.verification import remember_verified
from tests.service.store.records import NOON

DIGEST = "5e" * 32


def test_a_proof_is_remembered_by_digest(engine: sa.Engine, reader: Reader) -> None:
    assert not reader.verified(DIGEST)
    remember_verified(engine, DIGEST, "20111210-3f2a", NOON, "scikit-learn 1.7")
    assert reader.verified(DIGEST)
    assert not reader.verified("6f" * 32)


def test_proving_again_replaces_the_memory(engine: sa.Engine) -> None:
    remember_verified(engine, DIGEST, "v", NOON, "scikit-learn 1.7")
    remember_verified(engine, DIGEST, "v", NOON, "scikit-learn 1.8")
    with engine.connect() as connection:
        assert connection.execute(sa.select(verified_models.c.libraries)).scalars().all() == ["scikit-learn 1.8"]
