"""What must be so for the service to start and to answer, looked at one by one; what is not so has a hint."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from models.artifact import read_artifact
from models.errors import ModelError, NoActiveModel
from models.registry import Registry
from service.settings import LOOPBACK, Settings, unknown_variables
from service.store.database import is_to_be_made, open_engine, pending
from service.store.errors import StoreError
from service.store.keys import KeyStore
from service.store.reader import Reader
from service.store.trial import try_writing

LEAST_FREE_BYTES = 256 * 1024 * 1024
BEFORE_ALL_THIS = datetime(2025, 1, 1, tzinfo=UTC)  # no clock that is right shows less
CLOCKS_APART = timedelta(minutes=1)


class Finding(NamedTuple):
    """What was looked at, whether it is as it must be, what was seen, and what to do where it is not so."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


class Wrong(Exception):
    """Something is not as it must be."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.hint = hint


def look(settings: Settings, now: datetime, environment: Sequence[str]) -> Iterator[Finding]:
    """All there is to look at, in the order in which the service needs it."""
    looks: dict[str, Callable[[], str]] = {
        "settings": lambda: _settings(environment),
        "key": lambda: _key(settings),
        "port": lambda: _port(settings),
        "models": lambda: _models(settings),
        "database": lambda: _database(settings, now),
        "clock": lambda: _clock(settings, now),
        "disk": lambda: _disk(settings),
    }
    for name, one in looks.items():
        try:
            yield Finding(name, True, one())
        except Wrong as wrong:
            yield Finding(name, False, str(wrong), wrong.hint)
        except (ModelError, StoreError) as error:
            yield Finding(name, False, error.report, "see docs/configuration.md")
        except OSError as error:
            yield Finding(name, False, f"{error.filename or name}: {error.strerror}", "see who owns it and may use it")


def _settings(environment: Sequence[str]) -> str:
    """That they are sound was found when they were read."""
    unknown = unknown_variables(environment)
    return f"are sound, but {', '.join(unknown)} is none: misspelt?" if unknown else "are sound"


def _key(settings: Settings) -> str:
    if settings.api_key is not None:
        return "callers must send one"
    made = _keys_made(settings)
    if made:
        return f"callers must send one; {made} were made"
    if settings.host in LOOPBACK:
        return f"none, and none is needed: {settings.host} is reached from this machine only"
    if settings.allow_no_key:
        return f"none, and SEGMENTATION_ALLOW_NO_KEY lets everybody in who reaches {settings.host}"
    hint = "make one with: python -m service keys create --scope score, or set SEGMENTATION_API_KEY_FILE"
    raise Wrong(f"none, and {settings.host} can be reached by others", hint)


def _keys_made(settings: Settings) -> int:
    """How many are in the database; none where it cannot be asked, of which the look at the database tells."""
    engine = open_engine(settings.store_url)
    try:
        return 0 if is_to_be_made(engine) else len(KeyStore(engine).all())
    except StoreError:
        return 0
    finally:
        engine.dispose()


def _port(settings: Settings) -> str:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        said = f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}"
        raise Wrong(said, "end what listens there (another service?), or set SEGMENTATION_PORT") from error
    return f"{settings.host}:{settings.port} is free" if settings.port else "a free one will be taken"


def _models(settings: Settings) -> str:
    registry = Registry(settings.models_dir)
    if not os.access(settings.models_dir, os.R_OK | os.X_OK):
        raise Wrong(f"{settings.models_dir} is not there, or cannot be read", "set SEGMENTATION_MODELS_DIR, or train")
    try:
        version = registry.active()
    except NoActiveModel as error:
        raise Wrong(error.report, "until then the service runs and is not ready") from error
    try:
        read_artifact(registry.path(version), settings.signing_key_bytes)
    except ModelError as error:
        raise Wrong(f"{version} is refused: {error.report}", "publish it again, or activate another version") from error
    return f"{version} is whole"


def _database(settings: Settings, now: datetime) -> str:
    engine = open_engine(settings.store_url)
    kind = engine.dialect.name
    try:
        path = Path(engine.url.database or "")
        if is_to_be_made(engine):
            if not os.access(path.parent, os.W_OK):
                raise Wrong(f"{path} cannot be made", f"let this user write in {path.parent}")
            return f"{path} will be made at start"
        missing = pending(engine)
        if missing and kind == "sqlite":
            return f"{kind} answers; {len(missing)} migration(s) will be applied at start"
        if missing:
            raise Wrong(f"{kind} lacks {len(missing)} migration(s)", "run: python -m service db upgrade")
        try_writing(engine, now)
    except StoreError as error:
        raise Wrong(error.report, "see whether it runs, may be written to, and SEGMENTATION_DATABASE_URL") from error
    finally:
        engine.dispose()
    return f"{kind} answers, is up to date and can be written to"


def _clock(settings: Settings, now: datetime) -> str:
    """Of the latest answer and of the model, the clock cannot be before."""
    hint = "set the clock, best by NTP: ids and the default of as_of come from it"
    if now < BEFORE_ALL_THIS:
        raise Wrong(f"it says {now:%Y-%m-%d}", hint)
    registry = Registry(settings.models_dir)
    known = [registry.published_at(version) for version in registry.versions()]
    latest = _latest_answer(settings)
    newest = max([*known, *([] if latest is None else [latest])], default=now)
    if newest > now + CLOCKS_APART:
        raise Wrong(f"it says {now:%Y-%m-%d %H:%M:%S}, and what is here was made {newest:%Y-%m-%d %H:%M:%S}", hint)
    return f"it is {now:%Y-%m-%d %H:%M:%S} UTC"


def _latest_answer(settings: Settings) -> datetime | None:
    engine = open_engine(settings.store_url)
    try:
        is_new = engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists()
        return None if is_new or pending(engine) else Reader(engine).last_assigned()
    except StoreError:
        return None  # that it does not answer is told of the database
    finally:
        engine.dispose()


def _disk(settings: Settings) -> str:
    folders = [settings.models_dir]
    engine = open_engine(settings.store_url)
    if engine.dialect.name == "sqlite":
        folders.append(Path(engine.url.database or ".").parent)
    free = {folder: shutil.disk_usage(folder).free for folder in folders if folder.exists()}
    full = [folder for folder, left in free.items() if left < LEAST_FREE_BYTES]
    if full:
        said = ", ".join(f"{free[folder] // 2**20:,} MiB left in {folder}" for folder in full)
        raise Wrong(said, "make room: what cannot be stored is not answered")
    return (
        ", ".join(f"{left // 2**20:,} MiB left in {folder}" for folder, left in free.items()) or "nothing is kept here"
    )
