"""Pictures of the bot's messages: `python -m benchmarks.preview [FOLDER]`, docs/messages without one.

The real bot (`serve`, the real composer) is asked on the loopback Discord; what it sent is laid out as a page and taken
by headless Chromium through Playwright (`pip install playwright`; a Chromium from the system or Playwright's own).
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.discord_page import message, modal, page
from benchmarks.loopback import Loopback, served
from tests.fakes.discord import Asked, Upload

_ADA, _BOB, _KAI, _YUI = (640_000_000_000_000_000 + number for number in range(4))
_COLOURS = 256  # of a picture, to keep the repository small


async def scenes(home: Path) -> dict[str, str]:
    """Pages by name."""
    async with Loopback() as discord, served(home, discord) as bot:
        del bot
        text = "something sad but hopeful for studying"
        first = await discord.slash("compose", text=text, length=40, takes=1, user=_ADA)
        await discord.until(lambda: first.message and "▰" in first.message.content, 120)
        second = await discord.slash("compose", text="rainy night jazz", user=_BOB)
        await discord.until(lambda: second.message and second.message.edits, 60)
        found = {"queue": page(message(first, _sent(first), "/compose"), message(second, _sent(second), "/compose"))}
        await _posted(discord, first)
        found["post"] = page(message(first, _sent(first), "/compose"))
        track = next(_ids(first, "tune:why:")).removeprefix("tune:why:")
        why = await discord.click(_sent(first), f"tune:why:{track}", user=_ADA)
        form = await discord.click(_sent(first), f"tune:remix:{track}", user=_ADA)
        await discord.until(lambda: why.acks and form.acks, 60)
        found |= {"why": page(message(why, _sent(why), "Why?")), "modal": page(modal(form))}
        await discord.react(_sent(first), "5️⃣", _ADA)
        await _answered(discord, "import", file=Upload("recenttracks.csv", _history()))
        await _answered(discord, "taste edit", words="fewer drums, slower")
        for name, words in (("taste edit", "more jazz"), ("mood set", "calm and a little wistful")):
            said = await _answered(discord, name, words=words)
            found[name.split()[0]] = page(message(said, _sent(said), f"/{name}"))
        taste = await _answered(discord, "taste show")
        found["taste"] = page(message(taste, _sent(taste), "/taste show"))
        both = await discord.slash("compose", text="happy synthwave drive", length=30, compare=True, user=_YUI)
        await discord.until(lambda: both.message and len(both.message.embeds) > 1, 300)
        found["takes"] = page(message(both, _sent(both), "/compose"))
        wrong = await discord.slash("compose", text="chill", key="H minor", user=_ADA)
        await discord.until(lambda: wrong.acks, 60)
        found["error"] = page(message(wrong, _sent(wrong), "/compose"))
        for name, locale, wish, command, user in (
            ("german", "de", "fröhliche Sommerparty", "/komponieren", _KAI),
            ("japanese", "ja", "calm piano for rain", "/作曲", _YUI),
        ):
            asked = await discord.slash("compose", text=wish, length=30, takes=1, locale=locale, user=user)
            await _posted(discord, asked)
            found[name] = page(message(asked, _sent(asked), command))
    return found


def _history() -> bytes:
    """An export of Last.fm: two hundred evenings with five artists."""
    artists = ("Bill Evans", "Nujabes", "Miles Davis", "Brian Eno", "Chet Baker")
    lines = (f'"{1_700_000_000 + 86_400 * n}","","{artists[n * n % 5]}","","","","Song {n}",""' for n in range(200))
    return "\n".join(("uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid", *lines)).encode()


async def _answered(discord: Loopback, name: str, **options: Any) -> Asked:
    asked = await discord.slash(name, user=_ADA, **options)
    await discord.until(lambda: asked.message and asked.message.edits, 60)
    return asked


async def _posted(discord: Loopback, asked: Asked) -> None:
    await discord.until(lambda: asked.message and asked.message.attachments and len(asked.message.reactions) == 5, 300)


def _sent(asked: Asked) -> Any:
    return asked.message


def _ids(asked: Asked, prefix: str) -> Any:
    items = (item for row in _sent(asked).components for item in row["components"])
    return (item["custom_id"] for item in items if item.get("custom_id", "").startswith(prefix))


async def take(pages: dict[str, str], folder: Path) -> None:
    """Write a PNG for every page."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - an extra that nothing else needs

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        sheet = await browser.new_page(viewport={"width": 620, "height": 400}, device_scale_factor=1.5)
        for name, content in pages.items():
            await sheet.set_content(content)
            whole = await sheet.locator("body").screenshot()
            await asyncio.to_thread(_small, whole, folder / f"{name}.png")
        await browser.close()


def _small(png: bytes, path: Path) -> None:
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


async def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="tunesmith-preview-") as scratch:
        await take(await scenes(Path(scratch) / "home"), folder)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "messages"
    place.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(place))
