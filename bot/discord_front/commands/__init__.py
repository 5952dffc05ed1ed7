"""Slash commands, one file per group; each parses, calls one service method, formats."""

from bot.discord_front.commands.admin import add_admin
from bot.discord_front.commands.blend import add_blend
from bot.discord_front.commands.compose import add_compose
from bot.discord_front.commands.help import add_help
from bot.discord_front.commands.library import add_library
from bot.discord_front.commands.like import add_like
from bot.discord_front.commands.link import add_link
from bot.discord_front.commands.mood import add_mood
from bot.discord_front.commands.privacy import add_privacy
from bot.discord_front.commands.radio import add_radio
from bot.discord_front.commands.taste import add_taste

ADDED = (
    add_compose, add_like, add_blend, add_library, add_mood, add_taste, add_link, add_privacy, add_radio, add_admin,
    add_help,
)  # fmt: skip

__all__ = ["ADDED"]
