"""Which licences may enter the corpus: those that let us train, ship and use commercially without share-alike."""

from __future__ import annotations

ALLOWED = (
    "public domain", "CC0-1.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "MIT", "BSD-3-Clause", "Unlicense",
)  # fmt: skip

_SPELLINGS = {
    "public domain": "public domain",
    "creative commons attribution 2.5": "CC-BY-2.5",
    "creative commons attribution 3.0": "CC-BY-3.0",
    "creative commons attribution 4.0": "CC-BY-4.0",
    "cc0": "CC0-1.0",
}


def spdx(name: str) -> str:
    """The name we keep for a licence as a set spells it; a spelling we do not know stays as it is."""
    return _SPELLINGS.get(name.strip().lower(), name.strip())


def is_allowed(licence: str) -> bool:
    return licence in ALLOWED
