"""The configuration: environment variables and nothing else, checked at start."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.client_address import Network, networks_of

DATA_DIR = "SEGMENTATION_DATA_DIR"  # where the project's own tests look for data; make sets it for all its targets
MOST_WORKERS = 256
LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat: TypeAlias = Literal["auto", "json", "pretty"]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Settings(BaseSettings):
    """Every setting is an environment variable SEGMENTATION_<NAME>. A secret may instead be given as the path of
    a file that holds it, in SEGMENTATION_<NAME>_FILE."""

    model_config = SettingsConfigDict(env_prefix="SEGMENTATION_", frozen=True, extra="ignore")

    database_url: Annotated[
        SecretStr, Field(description="SQLAlchemy URL of the store: `sqlite:///path` or `postgresql://user@host/name`.")
    ] = SecretStr("sqlite:///data/segmentation.sqlite3")
    database_url_file: Annotated[Path | None, Field(description="File that holds the database URL.")] = None
    database_password_file: Annotated[
        Path | None, Field(description="File that holds the database password, put into the URL.")
    ] = None
    models_dir: Annotated[Path, Field(description="Where trained models are published.")] = Path("models/artifacts")
    playbooks: Annotated[
        Path | None, Field(description="Playbook file to use instead of the one stored with the model.")
    ] = None
    signing_key: Annotated[
        SecretStr | None, Field(description="Key that signs models; with it, unsigned models are refused.")
    ] = None
    signing_key_file: Annotated[Path | None, Field(description="File that holds the signing key.")] = None
    host: Annotated[str, Field(description="Address to listen on. Beyond loopback a key is required.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")] = 8000
    workers: Annotated[
        int, Field(ge=1, le=MOST_WORKERS, description="Processes that answer; `serve --workers` comes first.")
    ] = 1
    api_key: Annotated[
        SecretStr | None,
        Field(description="Key that callers send as `Authorization: Bearer …`; at least 32 characters."),
    ] = None
    api_key_file: Annotated[Path | None, Field(description="File that holds the API key.")] = None
    allow_no_key: Annotated[
        bool, Field(description="Answer everybody while there is no key, also beyond loopback.")
    ] = False
    key_poll_seconds: Annotated[
        float, Field(gt=0, description="How often to look which keys are good; so soon a revoked one is none.")
    ] = 1.0
    trusted_proxies: Annotated[
        str, Field(description="Networks of proxies whose X-Forwarded-For is believed, such as `10.0.0.0/8,::1`.")
    ] = ""
    max_body_bytes: Annotated[
        int, Field(ge=1_024, description="Largest request body; beyond it the answer is 413.")
    ] = 32 * 1024 * 1024
    max_batch: Annotated[int, Field(ge=1, description="Most customers in one batch.")] = 10_000
    max_transactions: Annotated[int, Field(ge=1, description="Most transactions of one customer.")] = 10_000
    queue_rows: Annotated[
        int, Field(ge=1, description="Most answers waiting to be stored; beyond it the answer is 503.")
    ] = 50_000
    max_concurrent: Annotated[
        int, Field(ge=1, description="Most requests that one process answers at a time; beyond it the answer is 503.")
    ] = 1_000
    request_seconds: Annotated[
        float, Field(gt=0, description="Longest time until an answer begins, of all but streams; then it is 503.")
    ] = 60.0
    rate_limit: Annotated[
        int,
        Field(ge=0, description="Most requests of one key in a minute; 0 is no limit. Beyond it the answer is 429."),
    ] = 0
    wrong_keys: Annotated[
        int, Field(ge=1, description="Most wrong keys from one address in a minute; beyond it 401 becomes 429.")
    ] = 60
    head_seconds: Annotated[
        float, Field(gt=0, description="Longest time until a request's headers are there; then its client is dropped.")
    ] = 10.0
    body_idle_seconds: Annotated[
        float, Field(gt=0, description="Longest time in which nothing comes of a body; then its client is dropped.")
    ] = 60.0
    answer_idle_seconds: Annotated[
        float, Field(gt=0, description="Longest time in which a client takes nothing of an answer; then it is dropped.")
    ] = 120.0
    keep_alive_seconds: Annotated[
        float, Field(gt=0, description="Longest time in which nothing is asked over a connection; then it is closed.")
    ] = 75.0
    log_level: Annotated[LogLevel, Field(description="The least that is logged: DEBUG has a line per request.")] = (
        "INFO"
    )
    log_format: Annotated[
        LogFormat, Field(description="`json`, a line each; `pretty`, to read; `auto` looks whether it is a terminal.")
    ] = "auto"
    model_poll_seconds: Annotated[
        float, Field(gt=0, description="How often to look whether another model was activated.")
    ] = 1.0
    retention_days: Annotated[
        int, Field(ge=0, le=36_500, description="Days after which answers are removed; 0 keeps them.")
    ] = 0
    drain_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=600,
            description="How long to go on taking up requests, unready, after a stop signal, so that balancers notice.",
        ),
    ] = 0.0
    shutdown_seconds: Annotated[
        int, Field(ge=1, description="How long requests under way may take after a stop signal.")
    ] = 20

    otlp_endpoint: Annotated[
        str | None,
        Field(
            pattern="^https?://", description="Where a span of every request goes, as OTLP over HTTP; default: nowhere."
        ),
    ] = None
    ready_seconds: Annotated[
        float, Field(gt=0, le=60, description="How long GET /health/ready waits for the database.")
    ] = 3.0

    @model_validator(mode="after")
    def _read_secret_files(self) -> Self:
        for name in ("database_url", "signing_key", "api_key"):
            path: Path | None = getattr(self, f"{name}_file")
            if path is not None:
                self._put(name, _secret(path, f"SEGMENTATION_{name.upper()}_FILE"))
        if self.database_password_file is not None:
            password = _secret(self.database_password_file, "SEGMENTATION_DATABASE_PASSWORD_FILE")
            self._put("database_url", _with_password(self.store_url, password))
        return self

    @model_validator(mode="after")
    def _a_key_cannot_be_guessed(self) -> Self:
        if self.api_key is not None and len(self.api_key.get_secret_value()) < 32:
            raise ValueError("SEGMENTATION_API_KEY is shorter than 32 characters; make one with: openssl rand -hex 32")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, given: str) -> str:
        networks_of(_parts(given))
        return given

    @model_validator(mode="after")
    def _a_batch_fits_the_queue(self) -> Self:
        if self.queue_rows < self.max_batch:
            raise ValueError(
                f"SEGMENTATION_QUEUE_ROWS is {self.queue_rows}, too few for one batch; "
                f"set it to SEGMENTATION_MAX_BATCH, {self.max_batch}, or more"
            )
        return self

    @model_validator(mode="after")
    def _tracing_is_installed(self) -> Self:
        if self.otlp_endpoint is not None and find_spec("opentelemetry.exporter") is None:
            raise ValueError(
                "SEGMENTATION_OTLP_ENDPOINT needs what is not installed; "
                "install it: pip install 'customer-segmentation-service[tracing]'"
            )
        return self

    def _put(self, name: str, secret: str) -> None:
        object.__setattr__(self, name, SecretStr(secret))  # frozen for everyone else

    @property
    def signing_key_bytes(self) -> bytes | None:
        return self.signing_key.get_secret_value().encode() if self.signing_key else None

    @property
    def needs_key(self) -> bool:
        """Whether nobody is answered without a key, even while there is none."""
        return self.host not in LOOPBACK and not self.allow_no_key

    @property
    def proxies(self) -> tuple[Network, ...]:
        """Those whose word on the client's address is taken."""
        return networks_of(_parts(self.trusted_proxies))

    @property
    def store_url(self) -> str:
        """The database URL, with the password from its file where there is one."""
        return self.database_url.get_secret_value()


def _parts(listed: str) -> list[str]:
    return [part.strip() for part in listed.split(",") if part.strip()]


def _with_password(url: str, password: str) -> str:
    from sqlalchemy import make_url  # only where a password stands in a file of its own
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).set(password=password).render_as_string(hide_password=False)
    except (ArgumentError, ValueError) as error:
        # The text itself is not repeated: it may hold a password.
        raise ValueError(
            "SEGMENTATION_DATABASE_URL cannot be read; write sqlite:///path or postgresql://user@host/name"
        ) from error


def _secret(path: Path, variable: str) -> str:
    try:
        found = path.read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"{variable} names {path}, which cannot be read: {error.strerror}") from error
    if not found:
        raise ValueError(f"{variable} names {path}, which is empty")
    return found


def described() -> list[tuple[str, str, str]]:
    """Every setting as its environment variable, its default in words, and what it is for."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        lines.append((f"SEGMENTATION_{name.upper()}", "" if default is None else str(default), field.description or ""))
    return lines


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Those environment variables that look like settings and are none: most likely misspelt."""
    known = {name for name, _, _ in described()} | {DATA_DIR}
    return sorted(name for name in names if name.upper().startswith("SEGMENTATION_") and name.upper() not in known)
