"""What a running service holds. Made by `create_app`; everyone else receives it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from starlette.requests import Request

from service.caretaker import Caretaker
from service.idempotency import Idempotency
from service.key_use import KeyUse
from service.live_keys import LiveKeys
from service.live_model import LiveModel
from service.readiness import Readiness
from service.settings import Settings
from service.store.personal_data import PersonalData
from service.store.reader import Reader
from service.store.ulid import UlidFactory
from service.store.writer import GroupCommit
from service.suppressed import Suppressed


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one service process. `clock` is the one place where "now" comes from, in UTC."""

    settings: Settings
    engine: sa.Engine
    reader: Reader
    writer: GroupCommit
    live: LiveModel
    ids: UlidFactory
    clock: Callable[[], datetime]
    idempotency: Idempotency
    keys: LiveKeys
    key_use: KeyUse
    personal: PersonalData
    suppressed: Suppressed
    caretaker: Caretaker
    readiness: Readiness = field(default_factory=Readiness)


def service_of(request: Request) -> Service:
    """The service a request came to."""
    found: Service = request.app.state.service
    return found
