"""What to change when a finished piece fails a check whose cause lies in the master: it is made once more with that."""

from __future__ import annotations

from generator.measure.report import CEILING_DBTP, Measured
from generator.produce.settings import Master

_PEAK_MARGIN_DB = 0.3
_LONGER_FADE_S = 2.0


def remedy(measured: Measured, settings: Master, target_lufs: float) -> Master | None:
    """The settings that make up for what was measured, or None where another master would not help.

    A missed loudness moves the target by what was missed, a peak lowers the ceiling, an abrupt end lengthens the fade.
    """
    failed = set(measured.failed)
    if not failed or failed - {"loudness", "true_peak", "clipping", "ending"}:
        return None
    changed: dict[str, float] = {}
    if "loudness" in failed:
        changed["target_lufs"] = settings.target_lufs + target_lufs - measured.integrated_lufs
    if failed & {"true_peak", "clipping"}:
        over_db = max(measured.true_peak_dbtp - CEILING_DBTP, 0.0)
        changed["ceiling_dbtp"] = settings.ceiling_dbtp - over_db - _PEAK_MARGIN_DB
    if "ending" in failed:
        changed["fade_out_s"] = settings.fade_out_s + _LONGER_FADE_S
    allowed = {name: _within(name, value) for name, value in changed.items()}
    return settings.model_copy(update=allowed)


def _within(name: str, value: float) -> float:
    """As far as the settings' own bounds let it go."""
    lowest, highest = {"target_lufs": (-24.0, -9.0), "ceiling_dbtp": (-6.0, -1.0), "fade_out_s": (0.0, 20.0)}[name]
    return min(max(value, lowest), highest)
