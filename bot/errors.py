"""What can go wrong in the bot; every message is one sentence that may be shown to a person.

BotError
├── UserError          the person asked for something that cannot be; exit code 2
│   ├── Refused        a rule of this place says no; its sentence is in the catalogue
│   ├── SettingsError  a setting is missing or does not fit
│   └── NotFoundError  no such track or listener
├── StoreError         the database cannot be used
│   └── NewerDatabase  it was written by a newer version
├── EngineError        a piece could not be made
│   ├── EngineLost     the worker process died; worth another try
│   ├── PieceRefused   the piece failed its own checks; another seed may do better
│   └── JobCancelled   someone stopped the job
├── LeaseLost          another worker, or nobody, holds the job now
└── FrontError         the chat service refused us
"""

from __future__ import annotations

from datetime import datetime

from bot.i18n.catalogue import ENGLISH, say


class BotError(Exception):
    """Base of the bot's errors."""


class UserError(BotError):
    """Raised when the person asked for something that cannot be; carries the sentence shown."""


class Refused(UserError):
    """Raised when a rule says no: `key` names the sentence in the catalogue, `values` fill it in.

    A front says it in the reader's language, and moments as its chat shows them; as text it is English.
    """

    def __init__(self, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        plain = {name: _plain(value) for name, value in values.items()}
        super().__init__(say(ENGLISH, key, **plain))


class SettingsError(UserError):
    """Raised when a setting is missing or does not fit."""


class NotFoundError(UserError):
    """Raised when there is no such track or listener."""


class StoreError(BotError):
    """Raised when the database cannot be used."""


class NewerDatabase(StoreError):
    """Raised when the database was written by a newer version."""


class EngineError(BotError):
    """Raised when a piece could not be made."""


class EngineLost(EngineError):
    """Raised when the worker process died under the job; the job is worth another try."""


class PieceRefused(EngineError):
    """Raised when the finished piece failed its own checks; another seed may do better."""


class JobCancelled(EngineError):
    """Raised when someone stopped the job."""


class LeaseLost(BotError):
    """Raised when a write comes from somebody who no longer holds the job."""


class FrontError(BotError):
    """Raised when the chat service refused us."""


def _plain(value: object) -> object:
    return f"at {value:%H:%M} UTC" if isinstance(value, datetime) else value
