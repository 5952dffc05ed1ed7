"""How a piece is mixed and mastered, as plain checked values.

Style files carry these as `[mix.<role>]` and `[master]` tables; a misspelt or out-of-range entry is refused.
Knows nothing of audio: `mix` and `master` give the numbers their sound.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Amount = Annotated[float, Field(ge=0.0, le=1.0)]
_Gain = Annotated[float, Field(ge=-12.0, le=12.0)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Channel(_Settings):
    """One role's channel strip, in the order in which it acts."""

    level_lufs: Annotated[float, Field(ge=-60.0, le=-6.0)] = -23.0
    """Loudness of the dry stem in the mix, before mastering."""
    highpass_hz: Annotated[float, Field(ge=20.0, le=2000.0)] = 30.0
    lowpass_hz: Annotated[float, Field(ge=200.0, le=20000.0)] = 20000.0
    """20000 leaves the top open."""
    low_db: _Gain = 0.0
    """Shelf below 150 Hz."""
    mid_db: _Gain = 0.0
    """Bell at `mid_hz`."""
    mid_hz: Annotated[float, Field(ge=200.0, le=8000.0)] = 2500.0
    high_db: _Gain = 0.0
    """Shelf above 5 kHz."""
    compression: _Amount = 0.0
    """How far the level is evened out; 1 is 4:1 and at most 9 dB."""
    saturation: _Amount = 0.0
    """Harmonics of a driven tape or tube; 1 is plainly distorted."""
    chorus: _Amount = 0.0
    pan: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    """-1 left … 1 right, equal power."""
    width: Annotated[float, Field(ge=0.0, le=2.0)] = 1.0
    """0 mono, 1 as rendered, above 1 wider (a decorrelated side is added to mono material)."""
    sidechain: _Amount = 0.0
    """How far the kick drum pushes this channel down; 1 is about 12 dB."""
    delay: _Amount = 0.0
    """Level of the echo, which repeats every `Master.delay_beats`."""
    reverb: _Amount = 0.2
    """Level of the shared room."""


class Master(_Settings):
    """The room, the bus and the finished sound."""

    target_lufs: Annotated[float, Field(ge=-24.0, le=-9.0)] = -14.0
    ceiling_dbtp: Annotated[float, Field(ge=-6.0, le=-1.0)] = -1.0
    """Highest true peak of the delivered file."""
    codec_db: Annotated[float, Field(ge=0.0, le=3.0)] = 0.8
    """Room below the ceiling for what MP3 coding adds to the peaks: most with hits and bright synthesisers. Enough for
    nearly all pieces of the style; the others are coded twice."""
    tilt_db: Annotated[float, Field(ge=-6.0, le=6.0)] = 0.0
    """Tonal balance from 100 Hz to 10 kHz: negative is warm, positive is bright."""
    glue: _Amount = 0.3
    """Bus compression: 0 none, 1 about 6 dB at 4:1."""
    drive: _Amount = 0.1
    """Soft clipping of the bus before the limiter."""
    reverb_s: Annotated[float, Field(ge=0.2, le=8.0)] = 1.8
    """Time in which the room falls by 60 dB."""
    reverb_brightness: _Amount = 0.5
    reverb_predelay_ms: Annotated[float, Field(ge=0.0, le=120.0)] = 18.0
    delay_beats: Annotated[float, Field(ge=0.125, le=4.0)] = 0.75
    """Echo time in quarter notes: 0.75 is the dotted eighth."""
    delay_feedback: Annotated[float, Field(ge=0.0, le=0.8)] = 0.4
    wow: _Amount = 0.0
    """Slow unevenness of a worn tape: 1 is about 25 cents up and down."""
    crackle: _Amount = 0.0
    """Vinyl noise under the whole piece; it becomes a stem of its own named “crackle”."""
    lowpass_hz: Annotated[float, Field(ge=1000.0, le=20000.0)] = 20000.0
    """Bandwidth of the whole mix; 20000 leaves the top open."""
    mono_below_hz: Annotated[float, Field(ge=0.0, le=300.0)] = 120.0
    fade_out_s: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0
    """Length of the fade that closes the piece (it always ends in silence)."""
