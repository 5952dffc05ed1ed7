"""Room for what matters: where an accompaniment covers the tune, or a chord the bass, it gives way a little.

Decided by the measured spectra of the stems at their faders, third octave by third octave.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from generator.produce import bands

MOST_DB = 4.0
_CLEAR_DB = 6.0  # a part that lies so far below in a band covers nothing there
_STRENGTH = 0.5
_WEIGHT_DB = 24.0  # bands so far below a part's strongest are not what it is known by
# What is protected, by role: where from and to in Hz, and from which roles.
_PROTECTED = {
    "melody": (300.0, 5000.0, frozenset({"chords", "pad", "texture", "counter"})),
    "bass": (60.0, 250.0, frozenset({"chords", "pad", "melody", "counter", "texture"})),
}


def relief(levels_db: Mapping[str, Tensor], roles: Mapping[str, str]) -> dict[str, Tensor]:
    """Gains in dB [COUNT], 0 … -MOST_DB, for every stem that has to give way. `levels_db` [COUNT] are what the stems
    measure at their faders."""
    gains: dict[str, Tensor] = {}
    for role, (low_hz, high_hz, others) in _PROTECTED.items():
        kept = [level for name, level in levels_db.items() if roles.get(name) == role]
        if not kept:
            continue
        lead = torch.stack(kept).amax(0)
        hertz = bands.centres(lead.device)
        counts = (hertz >= low_hz) & (hertz <= high_hz) & (lead > lead.max() - _WEIGHT_DB)
        for name, level in levels_db.items():
            if roles.get(name) in others:
                covered = (level - lead + _CLEAR_DB).clamp(min=0.0) * _STRENGTH
                cut = torch.where(counts, covered, 0.0).clamp(max=MOST_DB)
                gains[name] = torch.minimum(gains.get(name, torch.zeros_like(cut)), -cut)
    return {name: bands.smoothed(gain) for name, gain in gains.items() if float(gain.min()) < -0.25}
