"""The mood a listener has set: it holds for every request that names no mood of its own, until it is cleared."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from bot.errors import UserError
from bot.store.store import Store


@dataclass(frozen=True, slots=True)
class SetMood:
    """The words as typed, the nearest mood we have a name for, and the point (valence, arousal), each -1 to 1."""

    words: str
    name: str
    valence: float
    arousal: float


class Moods:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def set(self, listener_id: str, words: str) -> SetMood:
        """Raises UserError when the words name no mood."""
        point = await asyncio.to_thread(_read, words)
        kept = [point.words, point.name, point.valence, point.arousal]
        await self._store.facts.put(fact(listener_id), json.dumps(kept))
        return point

    async def get(self, listener_id: str) -> SetMood | None:
        kept = await self._store.facts.get(fact(listener_id))
        return None if kept is None else SetMood(*json.loads(kept))

    async def clear(self, listener_id: str) -> bool:
        """Whether there was one."""
        return await self._store.facts.remove(fact(listener_id))


def fact(listener_id: str) -> str:
    """Under which name a listener's mood is kept."""
    return f"mood of {listener_id}"


def _read(words: str) -> SetMood:
    from personalization.mood import name_mood, read_mood, words_of  # noqa: PLC0415 - slow to import

    mood = read_mood(words_of(words)).mood
    if mood is None:
        raise UserError("I know no mood in that; say for example “calm and a bit sad”.")
    return SetMood(words.strip(), name_mood(mood), mood.valence, mood.arousal)
