"""Every setting, read once from the environment and `.env`; nothing else reads the environment.

Names are `TUNESMITH_<FIELD>` except the credentials, which keep the names their services use.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsError

PREFIX = "TUNESMITH_"
ENV_FILE = ".env"


class Settings(BaseSettings):
    """Frozen; secrets print as asterisks."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("tunesmith", appauthor=False)),
        description="where the database, the tracks, the sounds and the key live",
    )
    database_url: str | None = Field(None, description="SQLAlchemy URL; SQLite under the home folder by default")
    soundfont: Path | None = Field(None, description="a SoundFont 2 file for the acoustic instruments")
    format: str = Field(
        "mp3", pattern="^(mp3|opus|flac|wav)$", description="a format to deliver besides MP3: mp3 (none) opus flac wav"
    )
    c2pa_cert: Path | None = Field(None, description="PEM certificate chain that signs what is delivered (C2PA)")
    c2pa_key: Path | None = Field(None, validate_default=True, description="the PEM private key of that certificate")
    workers: int = Field(1, ge=0, le=64, description="worker processes that compose; 0 leaves it to `worker`")
    threads_per_worker: int = Field(1, ge=1, le=64, description="torch threads of each worker process")
    takes: int = Field(2, ge=1, le=4, description="takes composed for a request that does not say")
    compare: bool | None = Field(
        None,
        description="whether /compose makes a second take to compare, when nobody waits; by default with four cores",
    )
    max_pending_per_listener: int = Field(3, ge=1, le=100, description="unfinished requests one listener may have")
    max_backlog: int = Field(100, ge=1, le=100_000, description="unfinished requests of everybody together")
    lease_s: float = Field(30.0, ge=1, le=600, description="seconds after which a silent worker loses its job")
    composer: str = Field(
        "generator.pipeline:compose_track",
        pattern=r"^[\w.]+:\w+$",
        description="module:function that turns a brief into a track",
    )
    editor: str = Field(
        "generator.remake:edit_folder",
        pattern=r"^[\w.]+:\w+$",
        description="module:function that turns a track's folder and changes into a new track",
    )
    watch_port: int = Field(0, ge=0, le=65535, description="port of /health and /metrics on 127.0.0.1; 0 is off")
    callback_port: int = Field(
        0, ge=0, le=65535, description="port on 127.0.0.1 that SPOTIFY_REDIRECT_URI's proxy passes on to; 0 is off"
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug info warning error")
    log_json: bool = Field(False, description="one JSON object per log line")
    demographics: bool = Field(True, description="whether listeners may say their age band and country")
    refit_hours: float = Field(24.0, ge=0, le=8760, description="hours between refits of the shared taste; 0 never")
    discord_token: SecretStr | None = Field(None, validation_alias=AliasChoices("DISCORD_TOKEN"))
    spotify_client_id: str | None = Field(None, validation_alias=AliasChoices("SPOTIFY_CLIENT_ID"))
    spotify_redirect_uri: str = Field(
        "http://127.0.0.1:8765/callback",
        validation_alias=AliasChoices("SPOTIFY_REDIRECT_URI"),
        description="as registered with Spotify: https, or http on 127.0.0.1 for pasting the address",
    )
    spotify_daily_requests: int = Field(200, ge=10, le=100_000, description="requests to Spotify in 24 hours, of all")
    lastfm_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("LASTFM_API_KEY"))
    listenbrainz_url: str = Field(
        "https://api.listenbrainz.org",
        pattern=r"^https?://\S+$",
        description="ListenBrainz, or a server that speaks it",
    )

    @field_validator("home", "soundfont", "c2pa_cert", "c2pa_key")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("spotify_redirect_uri")
    @classmethod
    def _redirect(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")):
            return value
        raise ValueError("Spotify accepts https, or http on 127.0.0.1 (localhost is refused)")

    @field_validator("c2pa_key")
    @classmethod
    def _both(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("c2pa_cert") is None):
            raise ValueError("certificate and key go together")
        return key

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home / 'tunesmith.db'}"

    @property
    def tracks_dir(self) -> Path:
        return self.home / "tracks"

    @property
    def work_dir(self) -> Path:
        """Unfinished pieces; whatever lies here may be deleted while nothing runs."""
        return self.home / "work"

    def delivery(self) -> dict[str, Any]:
        """How finished pieces leave the workers: `generator.produce.delivery.Delivery` as JSON values."""
        signing = (self.c2pa_cert, self.c2pa_key)
        certificate, key = (None if path is None else str(path) for path in signing)
        return {"format": self.format, "certificate": certificate, "key": key}

    def secrets(self) -> tuple[str, ...]:
        """Values that must never be printed."""
        found = (self.discord_token, self.lastfm_api_key)
        return tuple(secret.get_secret_value() for secret in found if secret)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and `.env`, with overrides that are not None on top.

    Raises SettingsError with one sentence when a value does not fit.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        reason = first["msg"][0].lower() + first["msg"][1:]
        raise SettingsError(f"The setting {variable_name(field)} does not fit: {reason}.") from error


def variable_name(field: str) -> str:
    """The environment variable of a field; field names that are already variables stay."""
    if field in Settings.model_fields:
        alias = Settings.model_fields[field].validation_alias
        return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{PREFIX}{field.upper()}"
    return field.upper()


def variable_names() -> tuple[str, ...]:
    return tuple(variable_name(field) for field in Settings.model_fields)


def unknown_variables(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> list[str]:
    """One sentence for each TUNESMITH_ variable that no setting reads."""
    present = dict.fromkeys(os.environ if environ is None else environ)
    present |= dict.fromkeys(dotenv_values(env_file or ENV_FILE))
    known = variable_names()
    sentences = []
    for name in sorted(present):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else "."
            sentences.append(f"Nothing reads the variable {name}{hint}")
    return sentences


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of a worker process: ours without credentials, and with one thread pool size."""
    hidden = {variable_name(field) for field in ("discord_token", "lastfm_api_key")}
    environ = {name: value for name, value in os.environ.items() if name.upper() not in hidden}
    threads = str(settings.threads_per_worker)
    return environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}
