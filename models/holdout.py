"""Who is held out: customers who get none of the advice, so that those who get it can be compared with them."""

from hashlib import sha256

KEY = "recommendations"
SHARE = 0.1
_RANGE = 2**32


def held_out(customer_id: str, key: str = KEY, share: float = SHARE) -> bool:
    """Whether a customer is in the holdout group of the test that `key` names; about `share` (0 to 1) of all are.

    It is so where the first 8 hexadecimal digits of the SHA-256 of "key:customer_id" (UTF-8) are less than
    share · 2³². Nothing else is asked: every process, machine and database finds the same group, in any order of
    customers and under any model, and a greater share of the same key keeps those who were held out before.
    `customer_id` must be in its one form (`models.customer.customer_id`).

    One key serves the whole shop by default. The advice is meant to move customers from segment to segment; with a
    key for each, a move would put customers into the holdout group or out of it, and the comparison would be of
    groups that each had some of the advice. A key of its own is for a test of its own, independent of the others:
    one letter, or a new year, from which other customers shall go without.

    Raises ValueError where `share` is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share to hold out is {share!r} and must be from 0 to 1")
    return int.from_bytes(sha256(f"{key}:{customer_id}".encode()).digest()[:4], "big") < share * _RANGE
