"""The data sets' own labels on our style list: a documented table, first match wins, no match gives no style.

Why so: hymns, carols and traditional songs are sung by everybody and simply built, so they teach `folk`; ragtime,
swing and big band are the roots of `jazz`; everything with a score before 1920 is `classical`; rock'n'roll,
country and punk share the rock kit and guitars; soul, gospel, disco, Afrobeat and New Orleans grooves share the
syncopated kit of `funk`; samba and its kin are nearest to `bossa`; reggae, calypso and other dance grooves have no
place on our list and get none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"bossa|samba|brazilian|mpb|baiao|tango", ("bossa",)),
    (r"blues", ("blues",)),
    (r"hip.?hop|rap\b", ("hiphop",)),
    (r"jazz.*funk|soul.?jazz|jazz.*fusion", ("jazz", "funk")),
    (r"jazz|swing|big band|dixieland|ragtime|bop\b", ("jazz",)),
    (r"funk|soul|gospel|disco|afrobeat|neworleans|secondline|motown|highlife", ("funk",)),
    (r"house|breakbeat|electronic|new beat", ("house",)),
    (r"synth", ("synthwave",)),
    (r"ambient|space", ("ambient",)),
    (r"folk|celtic|country|bluegrass|hymn|carol|traditional|world|honky|polka|children|sacred song", ("folk",)),
    (r"rock|punk|metal|surf|\boi\b|rhythm & blues|doo wop|battle|boss", ("rock",)),
    (r"soundtrack|score|musical|stage|theme|operetta", ("pop", "cinematic")),
    (r"pop|vocal|ballad|easy listening|chanson|music hall|novelty|chart", ("pop",)),
    (r"classical|baroque|romantic|renaissance|lied|sacred|secular|motet|opera|march|military|modern|technique",
     ("classical",)),
)  # fmt: skip
MAX_STYLES = 2
"""What the composer's controls hold."""


def styles_of(labels: Iterable[str]) -> tuple[str, ...]:
    """At most MAX_STYLES of our styles for a piece's labels, most telling label first."""
    found: list[str] = []
    for label in labels:
        for pattern, styles in _TABLE:
            if re.search(pattern, label, re.IGNORECASE):
                found += [style for style in styles if style not in found]
                break
    return tuple(found[:MAX_STYLES])
