"""What can go wrong in the bot; every message is one sentence that may be shown to a person.

BotError
├── UserError          the person asked for something that cannot be; exit code 2
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


class BotError(Exception):
    """Base of the bot's errors."""


class UserError(BotError):
    """Raised when the person asked for something that cannot be; carries the sentence shown."""


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
