"""Files that people attach: fetched into a folder that is gone afterwards, under a harmless name, up to a limit."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import discord

from bot.errors import UserError
from bot.i18n.catalogue import say

MOST_BYTES = 50 * 1024**2  # of an attachment; it passes through memory once
SOUNDS = (".mp3", ".wav", ".flac", ".ogg", ".opus")


@asynccontextmanager
async def fetched(attachment: discord.Attachment, language: str) -> AsyncIterator[Path]:
    """The attachment as a file. Raises UserError for one that is too large or gone."""
    if attachment.size > MOST_BYTES:
        raise UserError(say(language, "errors.upload", most=MOST_BYTES // 1024**2))
    try:
        content = await attachment.read()
    except discord.HTTPException as error:
        raise UserError(say(language, "errors.fetch")) from error
    with tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
        path = Path(folder) / _harmless(attachment.filename)
        await asyncio.to_thread(path.write_bytes, content)
        del content
        yield path


def sound_among(attachments: Sequence[discord.Attachment], language: str) -> discord.Attachment:
    """The first attachment that is a sound. Raises UserError when there is none."""
    for attachment in attachments:
        if (attachment.content_type or "").startswith("audio/") or attachment.filename.lower().endswith(SOUNDS):
            return attachment
    raise UserError(say(language, "errors.no_sound"))


def _harmless(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", Path(name).name).lstrip(".")[-80:] or "file"
