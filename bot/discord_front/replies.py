"""What is said in the chat: progress lines, the finished piece, lists, and one sentence for every mistake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import discord
from discord import app_commands

from bot.errors import BotError
from bot.logs import logger
from bot.service import TrackRecord
from generator.produce.fit import Fit

STAR_EMOJI = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
COLOUR = discord.Colour.from_str("#7c5cff")
_BAR = 12
_UNKNOWN_INTERACTION = 10062
_ALREADY_ANSWERED = 40060
_STAGES = {
    "": "getting ready",
    "compose": "composing",
    "arrange": "arranging",
    "render": "rendering",
    "mix": "mixing",
    "master": "mastering",
    "encode": "encoding",
    "check": "listening once more",
}
_log = logger(__name__)


def progress_line(row: Any, ahead: int) -> str:
    """One message for a job that is not finished; `row` is one of `Messages.open`."""
    title = discord.utils.escape_markdown(row["request"]["text"])[:100]
    lines = [f"**{title}**"]
    if row["state"] == "queued":
        lines.append(
            "Queued." if ahead == 0 else f"Queued; {ahead} {'piece' if ahead == 1 else 'pieces'} before yours."
        )
    elif row["state"] == "running":
        done = round(row["fraction"] * _BAR)
        stage = _STAGES.get(row["stage"], row["stage"]).capitalize()
        lines.append(f"{stage} … {'▰' * done}{'▱' * (_BAR - done)} {row['fraction']:.0%}")
    else:
        lines.append("Sending …")
    return "\n".join(lines + heard_lines(row["proposal"]))


def heard_lines(proposal: dict[str, Any] | None) -> list[str]:
    """What was understood of the text, and the words that were not."""
    if proposal is None:
        return []
    lines = [f"-# Heard: {', '.join(proposal['heard'])}."] if proposal["heard"] else []
    if proposal["unknown"]:
        words = ", ".join(f"“{discord.utils.escape_markdown(word)}”" for word in proposal["unknown"][:8])
        lines.append(f"-# Not understood: {words}.")
    return lines


def track_embed(track: TrackRecord, proposal: dict[str, Any] | None, smaller: Fit | None = None) -> discord.Embed:
    """The finished piece: title, reasons, what was measured, seed, and how it was made smaller if it was; the
    picture is attached as cover.png."""
    why = "\n".join(f"• {reason}" for reason in track.why)
    heard = "\n".join(heard_lines(proposal))
    embed = discord.Embed(title=track.title[:256], description=f"{why}\n{heard}".strip()[:4000], colour=COLOUR)
    measured = track.measured
    embed.add_field(name="Key", value=str(measured["key"]))
    embed.add_field(name="Tempo", value=f"{measured['tempo_bpm']:.0f} BPM")
    embed.add_field(name="Length", value=length(measured["length_s"]))
    embed.add_field(name="Style", value=", ".join(name for name, _ in track.brief["styles"]))
    embed.add_field(name="Seed", value=str(track.brief["seed"]))
    if smaller is not None:
        embed.add_field(name="Attached", value=smaller.sentence, inline=False)
    embed.set_thumbnail(url="attachment://cover.png")
    embed.set_footer(text=f"Track {track.id} · composed by AI · rate it with the numbers below")
    return embed


def track_files(track: TrackRecord, audio: Path) -> list[discord.File]:
    """The audio as a classic attachment (Discord plays those in place) and the cover for the embed."""
    name = "".join(c if c.isalnum() else "-" for c in track.title.lower()).strip("-")[:60] or "piece"
    return [
        discord.File(audio, filename=f"{name}-{track.id}{audio.suffix}"),
        discord.File(track.files["cover"], filename="cover.png"),
    ]


def carries(track_id: str, attachments: Sequence[discord.Attachment]) -> bool:
    """Whether one of these attachments is the piece; the id is in its file name."""
    return any(Path(attachment.filename).stem.endswith(track_id) for attachment in attachments)


def history_embed(tracks: Sequence[TrackRecord]) -> discord.Embed:
    embed = discord.Embed(title="Your newest pieces", colour=COLOUR)
    if not tracks:
        embed.description = "Nothing yet; /compose makes the first one."
    for track in tracks[:25]:
        stars = "★" * track.stars + "☆" * (5 - track.stars) if track.stars else "not rated"
        measured = track.measured
        facts = f"{measured['key']}, {measured['tempo_bpm']:.0f} BPM, {length(measured['length_s'])}"
        when = discord.utils.format_dt(track.created_at, "R")
        embed.add_field(name=track.title[:256], value=f"{stars} · {facts} · {when} · `{track.id}`", inline=False)
    return embed


def taste_embed(view: Any) -> discord.Embed:
    """`view` is a `personalization.describe.TasteView`."""
    embed = discord.Embed(title="What I know of your taste", colour=COLOUR)
    embed.description = view.basis
    styles = [f"**{name}** {share:.0%}: {reason}" for name, share, reason in view.styles]
    traits = [f"**{phrase}** (worth {stars:.2f} stars): {reason}" for phrase, stars, reason in view.attributes]
    for heading, lines in (("Styles", styles), ("You like it", traits)):
        if lines:
            embed.add_field(name=heading, value="\n".join(lines)[:1024], inline=False)
    return embed


def length(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def sentence_for(error: BaseException) -> str:
    """What the person is told of an error; mistakes of ours are logged and named as such."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, BotError):
        return str(error)
    if isinstance(error, app_commands.TransformerError):
        return f"“{error.value}” does not fit there."
    _log.error("command failed", exc_info=error)
    return "Something went wrong on my side; it is in the log, and nothing of yours is lost."


async def explain(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    """The error boundary of all commands: one sentence, seen by the asker only where that is possible."""
    original = getattr(error, "original", error)
    if isinstance(original, discord.HTTPException) and original.code in {_UNKNOWN_INTERACTION, _ALREADY_ANSWERED}:
        _log.warning("interaction cannot be answered any more", interaction=interaction.id, code=original.code)
        return
    sentence = sentence_for(error)
    try:
        if interaction.response.is_done():
            await interaction.edit_original_response(content=sentence, embeds=[], attachments=[])
        else:
            await interaction.response.send_message(sentence, ephemeral=True)
    except discord.HTTPException as failure:
        _log.warning("cannot explain an error", interaction=interaction.id, status=failure.status)
