"""What can be wrong with a model, said in sentences. They know nothing of HTTP."""

LONGEST = 1_000  # characters; what a file says of itself may be repeated in a message, but not at any length


class ModelError(Exception):
    """Base of everything that can be wrong with a model; the message is a sentence for people, in one line.

    `reason` is what only those who run the software need to know, such as the path of a file.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(_line(message))
        self.reason = _line(reason)

    @property
    def report(self) -> str:
        """The message, and the reason."""
        return f"{self} ({self.reason})" if self.reason else str(self)


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


def _line(text: str) -> str:
    line = "".join(one if one.isprintable() else "\ufffd" for one in text[: LONGEST + 1])
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
