"""The service's databases, for what loads it."""

from tests.service.conftest import _bare_environment, proofs, store_url

__all__ = ["_bare_environment", "proofs", "store_url"]
