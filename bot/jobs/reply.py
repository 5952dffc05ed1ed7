"""Where the answer to a request goes, in words any chat could use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.store.crypto import Seal


@dataclass(frozen=True, slots=True)
class Reply:
    """The message to answer: by its own token until `token_until`, later as a new message in the channel.

    `channel_open` says whether we may write to the channel without the token; `upload_limit` is in bytes.
    `language` travels with the request. `server_id` is the server it was asked for on, where we are a member of it.
    """

    interaction_id: str
    application_id: str
    token: str = field(repr=False)
    token_until: datetime
    user_id: str
    channel_id: str | None
    channel_open: bool
    upload_limit: int
    language: str = "en"
    server_id: str | None = None

    def row(self, job_id: str, seal: Seal) -> dict[str, Any]:
        """As a row of the messages table, the token sealed for this job."""
        return {
            "job_id": job_id,
            "interaction_id": self.interaction_id,
            "application_id": self.application_id,
            "sealed_token": seal.close(job_id, self.token),
            "token_until": self.token_until,
            "user_id": self.user_id,
            "channel_id": self.channel_id,
            "channel_open": self.channel_open,
            "upload_limit": self.upload_limit,
        }
