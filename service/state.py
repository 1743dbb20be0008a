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
from service.metrics.board import Board
from service.metrics.recorder import Recorder
from service.readiness import Readiness
from service.settings import Settings
from service.store.personal_data import PersonalData
from service.store.reader import Reader
from service.store.ulid import UlidFactory
from service.store.writer import GroupCommit
from service.suppressed import Suppressed
from service.threads_apart import ThreadsApart

APART = 8  # calls at a time that read files and no database
LOOKING = 2  # looks at the database for /health/ready at a time


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one service process. `clock` is the one place where "now" comes from, in UTC.

    `apart` are the threads of calls that need no database, `looking` those of /health/ready.
    """

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
    board: Board
    recorder: Recorder
    apart: ThreadsApart = field(default_factory=lambda: ThreadsApart(APART))
    looking: ThreadsApart = field(default_factory=lambda: ThreadsApart(LOOKING))
    readiness: Readiness = field(default_factory=Readiness)


def service_of(request: Request) -> Service:
    """The service a request came to."""
    found: Service = request.app.state.service
    return found
