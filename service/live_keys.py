"""The keys that are good now, in memory: as the store has them, beside the one that a setting may give."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import NamedTuple

from starlette.types import Scope

from service.caller import Caller
from service.client_address import Network, client_of, networks_of, within
from service.key_scope import EVERYTHING, granted
from service.key_token import digest_of, id_of
from service.pulse import Pulse
from service.store.errors import StoreError
from service.store.keys import KeyStore, StoredKey

logger = logging.getLogger("segmentation.keys")
SETTING = "SEGMENTATION_API_KEY"
LOOK_SECONDS = 0.2  # a key that is not known is looked for in the store, at most so often
LOOK_PATIENCE = 1.0  # how long a request waits for that
CLOSING_PATIENCE = 2.0  # how long the end waits for a database that does not answer
ALL_NETWORKS = networks_of(["0.0.0.0/0", "::/0"])


class KnownKey(NamedTuple):
    """A key as the door needs it. Where there is no earlier secret, `earlier` is a digest of nothing."""

    caller: Caller
    digest: bytes
    earlier: bytes
    networks: Sequence[Network]


class LiveKeys:
    """Follows the keys in the store. `open` tells that no key is asked for: none was ever made, and that is allowed."""

    def __init__(
        self,
        store: KeyStore,
        setting: str | None,
        may_be_open: bool,
        proxies: Sequence[Network],
        clock: Callable[[], datetime],
    ) -> None:
        self.open = False
        self.known = False  # until the store was read once, nobody can be told that a key is wrong
        self._store = store
        self._may_be_open = may_be_open
        self._proxies = proxies
        self._clock = clock
        self._nothing = secrets.token_bytes(32)  # the digest of no secret that anybody knows
        self._nobody = KnownKey(Caller("", "", frozenset()), self._nothing, self._nothing, ALL_NETWORKS)
        self._setting = self._from_setting(setting) if setting else {}
        self._stored: list[StoredKey] | None = None
        self._good: dict[bytes, KnownKey] = dict(self._setting)
        self._any_networks = False
        self._trouble: str | None = None
        self._malformed: dict[str, str] = {}
        self._looked = -LOOK_SECONDS
        self._looking: asyncio.Future[None] | None = None
        self._pulse: Pulse | None = None

    def start(self, seconds: float) -> None:
        """Refreshes every so often from now on; to be called once, inside the running event loop."""
        self._pulse = Pulse(self.refresh, seconds)
        self._pulse.start()

    async def close(self) -> None:
        """Refreshes no more."""
        if self._pulse is not None:
            await self._pulse.close(CLOSING_PATIENCE)

    def find(self, token: bytes, scope: Scope) -> Caller | None:
        """Whose token this is. Unknown, revoked, expired and malformed ones, and those from a wrong network, take the
        same steps, and none of them is told apart."""
        known = self._good.get(id_of(token), self._nobody)
        digest = digest_of(token)
        right = compare_digest(digest, known.digest) | compare_digest(digest, known.earlier)
        if self._any_networks:
            # Where there is no address, as on a socket that is a file, keys for all networks are good nevertheless.
            right &= within(client_of(scope, self._proxies), known.networks) | (known.networks is ALL_NETWORKS)
        return known.caller if right else None

    async def look(self) -> None:
        """Reads the store for whoever comes with a token that is not known, at most every LOOK_SECONDS for all."""
        if self._looking is None or self._looking.done():
            if self._pulse is None or time.monotonic() - self._looked < LOOK_SECONDS:
                return
            self._looked = time.monotonic()
            self._looking = self._pulse.now()
        await asyncio.wait({self._looking}, timeout=LOOK_PATIENCE)

    def refresh(self) -> None:
        """Takes the keys as the store has them now. Where it cannot be read, those that are known go on being good,
        to the end of their time. Blocking."""
        try:
            self._stored, said = self._store.all(), None
        except StoreError as error:
            said = error.report
        if said != self._trouble and said is not None:
            logger.error("the keys cannot be read: %s", said)
        self._trouble = said
        self._take(self._stored, self._clock())

    def _take(self, stored: list[StoredKey] | None, now: datetime) -> None:
        read = {one.id: self._from_store(one, now) for one in stored or () if one.is_good(now)}
        good = {key_id.encode(): known for key_id, known in read.items() if isinstance(known, KnownKey)}
        self._refuse({key_id: column for key_id, column in read.items() if isinstance(column, str)})
        self._any_networks = any(one.networks is not ALL_NETWORKS for one in good.values())
        self._good = self._setting | good
        self.known = stored is not None
        # A revoked key counts: who revokes the last one does not mean to let everybody in.
        self.open = self._may_be_open and not self._setting and stored == []

    def _refuse(self, malformed: dict[str, str]) -> None:
        """Says which keys are no good, and for which column of theirs, once each."""
        for key_id, column in malformed.items() - self._malformed.items():
            logger.error(
                "the key %s is refused: its %s in the database cannot be read; revoke it and make another",
                key_id,
                column,
                extra={"fields": {"key": key_id, "field": column}},
            )
        self._malformed = malformed

    def _from_store(self, key: StoredKey, now: datetime) -> KnownKey | str:
        """The key, or the column of its row that cannot be read."""
        if key.malformed:
            return key.malformed
        caller = Caller(key.id, key.name, granted(key.scopes), key.requests_per_minute)
        earlier = key.earlier_digest if key.earlier_until is not None and now < key.earlier_until else None
        column = "networks"
        try:
            networks = networks_of(key.networks) if key.networks else ALL_NETWORKS
            column = "digest"
            digest = bytes.fromhex(key.digest)
            column = "earlier_digest"
            return KnownKey(caller, digest, bytes.fromhex(earlier) if earlier else self._nothing, networks)
        except (TypeError, ValueError):
            return column

    def _from_setting(self, token: str) -> dict[bytes, KnownKey]:
        sent = token.encode()
        return {
            id_of(sent): KnownKey(Caller("setting", SETTING, EVERYTHING), digest_of(sent), self._nothing, ALL_NETWORKS)
        }
