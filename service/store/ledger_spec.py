"""All that a ledger is opened with, in texts and numbers, so that another process can be told."""

from typing import Any, NamedTuple


class LedgerSpec(NamedTuple):
    """`arguments` and `options` are the driver's, to connect with; `statements` are for the ledger of the dialect."""

    dialect: str
    arguments: list[Any]
    options: dict[str, Any]
    statements: list[str]
