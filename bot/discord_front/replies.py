"""What is said in the chat of pieces: progress lines, the finished piece, lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import discord

from bot.i18n.catalogue import ENGLISH, say
from bot.i18n.told import told
from bot.service import TrackRecord
from generator.produce.fit import Fit

STAR_EMOJI = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
COLOUR = discord.Colour.from_str("#7c5cff")
_BAR = 12
_LISTENER = re.compile(r"discord:(\d+)")
_MENTION = r"<@\1>"
_STAGES = frozenset({"compose", "arrange", "render", "mix", "master", "encode", "check"})


def language_in(row: Any) -> str:
    """The language of whoever sent the request of one of `Messages.open`."""
    return str(row["request"].get("language", ENGLISH))


def progress_line(row: Any, ahead: int, wait_s: float | None = None) -> str:
    """One message for a job that is not finished; `row` is one of `Messages.open`, `wait_s` an estimate."""
    language = language_in(row)
    title = discord.utils.escape_markdown(row["request"]["text"])[:100]
    lines = [f"**{title}**"]
    if row["state"] == "queued":
        place = "first" if ahead == 0 else "one" if ahead == 1 else "many"
        about = "" if wait_s is None else " " + say(language, "progress.estimate", time=_about(language, wait_s))
        lines.append(say(language, f"progress.queued_{place}", ahead=ahead) + about)
    elif row["state"] == "running":
        done = round(row["fraction"] * _BAR)
        known = row["stage"] if row["stage"] in _STAGES else "start"
        stage = say(language, f"stages.{known}")
        lines.append(f"{stage} … {'▰' * done}{'▱' * (_BAR - done)} {row['fraction']:.0%}")
    else:
        lines.append(say(language, "progress.sending"))
    return "\n".join(lines + heard_lines(language, row["proposal"]))


def _about(language: str, seconds: float) -> str:
    """Rounded so that it promises no more than is known."""
    if seconds < 90:
        return say(language, "progress.seconds", count=max(10, round(seconds / 10) * 10))
    return say(language, "progress.minutes", count=round(seconds / 60))


def heard_lines(language: str, proposal: dict[str, Any] | None) -> list[str]:
    """What was understood of the text, and the words that were not."""
    if proposal is None:
        return []
    lines = []
    if proposal["heard"]:
        lines.append("-# " + say(language, "progress.heard", words=", ".join(proposal["heard"])))
    if proposal["unknown"]:
        words = ", ".join(f"“{discord.utils.escape_markdown(word)}”" for word in proposal["unknown"][:8])
        lines.append("-# " + say(language, "progress.unknown", words=words))
    return lines


def reasons(track: TrackRecord, language: str) -> str:
    """Why the piece is as it is; listeners are named as Discord names them."""
    return "\n".join(f"• {_LISTENER.sub(_MENTION, told(language, reason))}" for reason in track.why)


def track_embed(
    track: TrackRecord,
    language: str,
    proposal: dict[str, Any] | None,
    smaller: Fit | None = None,
    parent: str | None = None,
) -> discord.Embed:
    """The finished piece: title, reasons, what was measured, seed, how it was made smaller if it was, and the link to
    the piece it was made from; the picture is attached as cover.png."""
    lines = [reasons(track, language), *heard_lines(language, proposal)]
    if parent is not None:
        lines.append(say(language, "piece.parent", link=parent))
    embed = discord.Embed(title=track.title[:256], description="\n".join(lines).strip()[:4000], colour=COLOUR)
    measured = track.measured
    embed.add_field(name=say(language, "piece.key"), value=str(measured["key"]))
    embed.add_field(name=say(language, "piece.tempo"), value=f"{measured['tempo_bpm']:.0f} BPM")
    embed.add_field(name=say(language, "piece.length"), value=length(measured["length_s"]))
    embed.add_field(name=say(language, "piece.style"), value=", ".join(name for name, _ in track.brief["styles"]))
    embed.add_field(name=say(language, "piece.seed"), value=str(track.brief["seed"]))
    if smaller is not None:
        embed.add_field(name=say(language, "piece.attached"), value=smaller.sentence, inline=False)
    embed.set_thumbnail(url="attachment://cover.png")
    embed.set_footer(text=say(language, "piece.footer", track=track.id))
    return embed


def track_files(track: TrackRecord, audio: Path) -> list[discord.File]:
    """The audio as a classic attachment (Discord plays those in place) and the cover for the embed."""
    return [
        discord.File(audio, filename=file_name(track, audio.suffix)),
        discord.File(track.files["cover"], filename="cover.png"),
    ]


def file_name(track: TrackRecord, suffix: str) -> str:
    """A name for a file of a piece, with the piece's id at its end."""
    name = "".join(c if c.isalnum() else "-" for c in track.title.lower()).strip("-")[:60] or "piece"
    return f"{name}-{track.id}{suffix}"


def carries(track_id: str, attachments: Sequence[discord.Attachment]) -> bool:
    """Whether one of these attachments is the piece; the id is in its file name."""
    return any(Path(attachment.filename).stem.endswith(track_id) for attachment in attachments)


def tracks_embed(tracks: Sequence[TrackRecord], language: str, heading: str) -> discord.Embed:
    """A list of pieces; `heading` is “history” or “favourites”."""
    embed = discord.Embed(title=say(language, f"{heading}.title"), colour=COLOUR)
    if not tracks:
        embed.description = say(language, f"{heading}.empty")
    for track in tracks[:25]:
        stars = "★" * track.stars + "☆" * (5 - track.stars) if track.stars else say(language, "history.unrated")
        measured = track.measured
        facts = f"{measured['key']}, {measured['tempo_bpm']:.0f} BPM, {length(measured['length_s'])}"
        when = discord.utils.format_dt(track.created_at, "R")
        embed.add_field(name=track.title[:256], value=f"{stars} · {facts} · {when} · `{track.id}`", inline=False)
    return embed


def taste_embed(view: Any, language: str) -> discord.Embed:
    """`view` is a `personalization.describe.TasteView`; the picture is attached as taste.png."""
    embed = discord.Embed(title=say(language, "taste.title"), description=view.basis, colour=COLOUR)
    styles = [f"**{name}** {share:.0%}: {reason}" for name, share, reason in view.styles]
    traits = [f"**{phrase}** ({stars:+.2f} ★): {reason}" for phrase, stars, reason in view.attributes]
    said = [f"{'👍' if liked else '👎'} {value}" for value, liked, _ in view.statements]
    for heading, lines in (("styles", styles), ("traits", traits), ("said", said)):
        if lines:
            embed.add_field(name=say(language, f"taste.{heading}"), value="\n".join(lines)[:1024], inline=False)
    return embed


def only(row: Any) -> discord.AllowedMentions:
    """Nobody is pinged but the person who asked; `row` has the columns of messages."""
    user = discord.Object(int(row["user_id"]))
    return discord.AllowedMentions(everyone=False, roles=False, replied_user=False, users=[user])


def length(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
