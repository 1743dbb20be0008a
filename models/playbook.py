"""What to do about a segment: data that people edit, `playbooks.json`, keyed by segment name."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from models.errors import PlaybooksRefused

DEFAULT = "default"


class Playbook(BaseModel):
    """What to try to achieve with the members of a segment, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)

    goal: str
    action: str
    offer: str
    channel: str
    timing: str
    avoid: str


Playbooks = Mapping[str, Playbook]
_ADAPTER: TypeAdapter[dict[str, Playbook]] = TypeAdapter(dict[str, Playbook])


def load_playbooks(path: Path | None = None) -> Playbooks:
    """The playbooks in a file, or those that ship with the package.

    Raises PlaybooksRefused where the file cannot be read, a field is missing, or there is no "default".
    """
    try:
        text = path.read_bytes() if path else files("models").joinpath("playbooks.json").read_bytes()
        playbooks = _ADAPTER.validate_json(text)
    except OSError as error:
        raise PlaybooksRefused(f"the playbooks {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PlaybooksRefused(f"the playbooks {path}: {where}: {first['msg']}") from error
    if DEFAULT not in playbooks:
        raise PlaybooksRefused(f"the playbooks {path} need an entry {DEFAULT!r} for segments without one of their own")
    return playbooks


def dump_playbooks(playbooks: Playbooks) -> str:
    """The playbooks as the JSON text that `load_playbooks` reads."""
    return json.dumps({name: one.model_dump() for name, one in playbooks.items()}, indent=2, ensure_ascii=False)


def playbook_for(playbooks: Playbooks, name: str) -> Playbook:
    """The playbook of the segment with this name, or the default."""
    return playbooks.get(name, playbooks[DEFAULT])
