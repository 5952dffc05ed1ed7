"""Everything kept of a listener: what it is, all of it in one archive, and really gone."""

from __future__ import annotations

import asyncio
import json
import shutil
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.linking import SOURCES, Linking
from bot.store.store import Store

_AUDIO = "mp3"
_ROOM = 0.97  # of the limit: headers and directory of the archive take the rest


@dataclass(frozen=True, slots=True)
class Export:
    """An archive, and the tracks whose audio did not fit into it."""

    path: Path
    left_out: tuple[str, ...]


class Privacy:
    def __init__(self, store: Store, linking: Linking) -> None:
        self._store = store
        self._linking = linking

    async def what(self, listener_id: str) -> dict[str, int]:
        """How many rows of what are kept."""
        rows = await self._store.everything.of_listener(listener_id)
        return {name: len(found) for name, found in rows.items() if found}

    async def export(self, listener_id: str, folder: Path, limit_bytes: int) -> Export:
        """Write a ZIP into `folder`: every row as JSON, and of each piece its notes and, while they fit, its audio."""
        rows = await self._store.everything.of_listener(listener_id)
        return await asyncio.to_thread(_archive, rows, folder / "tunesmith-data.zip", int(limit_bytes * _ROOM))

    async def forget(self, listener_id: str) -> int:
        """Delete the listener, their links, plays, words, ratings and pieces with all files; how many pieces.

        What is being composed for them stops. Deleted bytes are overwritten.
        """
        for source in SOURCES:
            await self._linking.unlink(listener_id, source)
        folders = await self._store.everything.forget(listener_id)
        for folder in folders:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return len(folders)


def _archive(rows: dict[str, list[dict[str, Any]]], path: Path, limit: int) -> Export:
    left_out = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(rows, indent=1, ensure_ascii=False, default=_plain))
        for track in rows["tracks"]:
            home = Path(track["dir"])
            for role, names in sorted(track["files"].items()):
                if role in {"mid", "musicxml", "report", "provenance"} and (home / names).is_file():
                    archive.write(home / names, f"tracks/{track['id']}/{names}")
        used = sum(info.compress_size + 200 for info in archive.infolist())
        for track in rows["tracks"]:
            audio = Path(track["dir"]) / track["files"][_AUDIO]
            size = audio.stat().st_size if audio.is_file() else 0
            if size and used + size <= limit:
                archive.write(audio, f"tracks/{track['id']}/{audio.name}", zipfile.ZIP_STORED)
                used += size + 200
            else:
                left_out.append(track["id"])
    return Export(path, tuple(left_out))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
