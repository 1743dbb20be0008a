"""What can be wrong with a model, said in sentences. They know nothing of HTTP."""

LONGEST = 1_000  # characters; what a file says of itself may be repeated in a message, but not at any length


class ModelError(Exception):
    """Base of everything that can be wrong with a model; the message is a sentence for people, in one line."""

    def __init__(self, message: str) -> None:
        line = "".join(one if one.isprintable() else "\ufffd" for one in message[: LONGEST + 1])
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")


class ArtifactRefused(ModelError):
    """An artifact is damaged, tampered with, or made with versions that do not fit; it is not served."""


class UnknownVersion(ModelError):
    """No model of that version is in the registry."""


class NoActiveModel(ModelError):
    """The registry has no active model yet."""


class PlaybooksRefused(ModelError):
    """A playbook file cannot be used."""


class UnknownSegment(ModelError):
    """The model has no segment with that id."""
