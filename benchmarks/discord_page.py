"""What the bot sent, as a page that looks like the chat it was sent to: payloads in, HTML out; no word is invented."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

from tests.fakes.discord import Asked, Message

_CSS = Path(__file__).with_suffix(".css")
_EPHEMERAL = 64
_MARKS = (
    (r"\*\*(.+?)\*\*", r"<b>\1</b>"),
    (r"`([^`]+)`", r"<code>\1</code>"),
    (r"&lt;@(\d+)&gt;", r"<span class=mention>@ada</span>"),
    (r"&lt;t:\d+:R&gt;", "just now"),
    (r"(?m)^-# (.+)$", r"<small>\1</small>"),
    (r"\\([*_`~|])", r"\1"),
)


def page(*parts: str) -> str:
    return f"<!doctype html><meta charset=utf-8><style>{_CSS.read_text('utf-8')}</style><main>{''.join(parts)}</main>"


def message(asked: Asked, sent: Message, command: str) -> str:
    """A message with the line above it that says which command it answers."""
    inner = [
        f"<div>{_marked(sent.content)}</div>" if sent.content else "",
        *(_file(sent, one) for one in sent.attachments if not one["filename"].endswith(".png")),
        *(_embed(sent, one) for one in sent.embeds),
        *(_row(one) for one in sent.components),
        _reactions(sent),
        "<div class=whisper>👁 Only you can see this • <i>Dismiss message</i></div>" if sent.flags & _EPHEMERAL else "",
    ]
    name = html.escape(asked.payload.get("member", {}).get("user", {}).get("username", "ada"))
    return (
        f"<div class=used>↱ {name} used <b>{html.escape(command)}</b></div><div class=message><div class=avatar>♪</div>"
        f"<div><span class=name>Tunesmith</span><span class=app>APP</span><span class=when>Today at 20:14</span>"
        f"{''.join(inner)}</div></div>"
    )


def modal(asked: Asked) -> str:
    """The form that answered an interaction."""
    form = asked.acks[0]["data"]
    fields = []
    for label in form["components"]:
        inner = label["component"]
        tall = " tall" if inner.get("style") == 2 else ""
        text = html.escape(str(inner.get("value") or ""))
        chosen = "<span class=hint>▾</span>" if inner["type"] == 3 else ""
        fields.append(
            f"<div class=label>{html.escape(label['label'])}</div><div class='input{tall}'>{text}{chosen}</div>"
        )
    return (
        f"<div class=modal><div class=top><div class=avatar>♪</div>{html.escape(form['title'])}</div>"
        f"<div class=body>{''.join(fields)}</div><div class=foot><div class=button>Cancel</div>"
        f"<div class='button s1'>Submit</div></div></div>"
    )


def _marked(text: str) -> str:
    found = html.escape(text, quote=False)
    for pattern, stands in _MARKS:
        found = re.sub(pattern, stands, found)
    return found.replace("</small>\n", "</small>").replace("\n", "<br>")


def _embed(sent: Message, embed: dict[str, Any]) -> str:
    thumb = _picture(sent, embed.get("thumbnail"), "thumb")
    fields = "".join(_field(one) for one in embed.get("fields", ()))
    footer = f"<div class=footer>{_marked(embed['footer']['text'])}</div>" if "footer" in embed else ""
    return (
        f"<div class=embed style='border-color:#{embed.get('color', 0):06x}'>{thumb}"
        f"<div class=title>{_marked(embed.get('title', ''))}</div><div>{_marked(embed.get('description', ''))}</div>"
        f"<div class=fields>{fields}</div>{_picture(sent, embed.get('image'), 'image')}{footer}</div>"
    )


def _field(field: dict[str, Any]) -> str:
    wide = "" if field.get("inline") else " wide"
    return f"<div class='field{wide}'><b>{_marked(field['name'])}</b>{_marked(field['value'])}</div>"


def _picture(sent: Message, where: dict[str, Any] | None, kind: str) -> str:
    name = str(where["url"]).removeprefix("attachment://") if where else ""
    if name not in sent.files:
        return ""
    return f"<img class={kind} src='data:image/png;base64,{base64.b64encode(sent.files[name]).decode()}'>"


def _file(sent: Message, attachment: dict[str, Any]) -> str:
    name = attachment["filename"]
    size = f"{len(sent.files[name]) / 1024:.0f} KB"
    head = f"<div class=head><span>🎵</span><div>{html.escape(name)}<div class=size>{size}</div></div></div>"
    sound = name.endswith((".mp3", ".ogg", ".flac", ".wav"))
    player = "<div class=player>▶ <span>0:00</span><span class=bar></span>🔊</div>" if sound else ""
    return f"<div class=file>{head}{player}</div>"


def _row(row: dict[str, Any]) -> str:
    return f"<div class=row>{''.join(_item(one) for one in row['components'])}</div>"


def _item(item: dict[str, Any]) -> str:
    if item["type"] == 3:
        return f"<div class=select><span>{html.escape(item.get('placeholder', ''))}</span><span>▾</span></div>"
    emoji = (item.get("emoji") or {}).get("name", "")
    return f"<div class='button s{item['style']}'>{emoji} {html.escape(item.get('label') or '')}</div>"


def _reactions(sent: Message) -> str:
    found = "".join(f"<div class=reaction>{emoji} {len(users)}</div>" for emoji, users in sent.reactions.items())
    return f"<div class=reactions>{found}</div>" if found else ""
