"""Which track is what: documented rules from names, programs and registers to the parts of a Piece.

* song, jazz: what the source calls the melody.
* lied: the voice with the most words (the highest when none has words) is the melody, other voices are `voices`,
  the rest is accompaniment.
* hymn, choral: the highest vocal track by mean pitch is the melody, the others are `voices`; instruments accompany.
* piano, organ, guitar: the highest track holds the melody as its skyline; what is under it and the other tracks
  are accompaniment.
* chamber: the first violin, else the highest track that plays in half of the piece, is the melody; a double bass
  (or the cello when other instruments stand above it) is the bass; other strings and voices are `voices`; winds
  and brass are `voices` too while there are few, else accompaniment; keyboards and plucked strings accompany.
* band: channel 10 is drums; basses by program or name are the bass; the lead is the track that sounds most like
  one voice in a high register for long; the rest accompanies, sound effects are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from generator.corpus.music import Music, Track

CHORDAL = 0.4
"""From this share of notes that begin together with another of the track, it plays chords, not a voice."""
FEW = 6
"""Up to this many single-line tracks, winds are voices of the texture rather than its accompaniment."""

_KEYBOARD = re.compile(
    r"piano|klavier|organ|harpsi|cembalo|clavi|forte|keyboard|manual|pedal|harp\b|celest", re.IGNORECASE
)
_PLUCKED = re.compile(r"guitar|gitar|\blute|mandol|harp|ukul|banjo|koto|shamisen", re.IGNORECASE)
_OTHERS = re.compile(
    r"viol|flut|\bflt|oboe|clar|horn|\bcor\b|trum|trom|fag|bassoon|cell|orch|string|cbass|record|sax|clrno",
    re.IGNORECASE,
)
_SUNG = re.compile(
    r"(?:(\d+) )?\b(?:vox|sopr\w*|canto|tenor(?! trom)\w*|barit\w*|mezzo\w*|feme|male|voices?|vocal\w*|choir|chorus"
    r"|satb|ttbb|s\.s\.a)"
)
_BASS = re.compile(r"contrab|double ?bass|kontrab|violone|basso\b|\bbass$|cbass|continuo|bass guitar", re.IGNORECASE)
_CELLO = re.compile(r"cell", re.IGNORECASE)
_FIRST_VIOLIN = re.compile(r"viol(in|ino|on|ons|ini|ins)\b.*\b(1|i|prim)|^violin[eo]?s?( i| 1)?$", re.IGNORECASE)
_STRINGS = range(40, 52)
_VOICE_PROGRAMS = frozenset({52, 53, 54, 85, 91})
_EFFECTS = range(119, 128)


def mean_pitch(track: Track) -> float:
    """Weighted by duration; 0 for a track without notes."""
    total = sum(note.duration for note in track.notes)
    return sum(note.pitch * note.duration for note in track.notes) / total if total else 0.0


def is_voice(track: Track) -> bool:
    return bool(track.words) or track.program in _VOICE_PROGRAMS


def with_roles(music: Music, kind: str) -> Music:
    """The same music, every track with a role; `kind` is a kind of Piece."""
    assign = {
        "lied": _lied, "hymn": _choral, "choral": _choral, "piano": _keyboard, "chamber": _chamber, "band": _band,
    }[kind]  # fmt: skip
    sounding = [track for track in music.tracks if track.notes]
    pitched = [track for track in sounding if not track.drums]
    drums = tuple(replace(track, role="drums") for track in sounding if track.drums)
    return replace(music, tracks=(*assign(pitched), *drums))


def kind_of(music: Music, instruments: str) -> str:
    """Which kind of writing a score is, from the set's words for its instruments, else from the tracks.

    `instruments` may count them ("1 piano 2 vox"). Alto and bass are voices only where no instruments stand beside.
    """
    words = instruments.lower()
    if not words.strip() or "empty" in words:
        return _kind_of_tracks(music)
    keyboards, plucked = bool(_KEYBOARD.search(words)), bool(_PLUCKED.search(words))
    others = bool(_OTHERS.search(words))
    voices = sum(int(count or 1) for count in _SUNG.findall(words))
    if not voices and not others and not keyboards and re.search(r"\b(alto|bass)\b", words):
        voices = 1
    if voices:
        alone = voices <= 2 and not others and not re.search(r"\balto\b|\bbass\b|choir|chorus|[st]{2}|satb", words)
        return "lied" if alone and (keyboards or plucked) else "choral"
    if others:
        return "chamber"
    return "piano" if keyboards or (plucked and "," not in words) else "chamber"


def _kind_of_tracks(music: Music) -> str:
    tracks = [track for track in music.tracks if track.notes]
    sung = sum(is_voice(track) for track in tracks)
    keyed = sum(track.program is not None and track.program < 24 for track in tracks)
    if sung > len(tracks) / 2:
        return "choral"
    if len(tracks) <= 3 and keyed == len(tracks):
        return "piano"
    return "chamber"


def _rest(tracks: Sequence[Track], first: Track, role: str) -> list[Track]:
    return [replace(track, role="melody" if track is first else role) for track in tracks]


def _lied(tracks: Sequence[Track]) -> list[Track]:
    voices = [track for track in tracks if is_voice(track)]
    if not voices:  # a staff that is not the keyboard's
        voices = [track for track in tracks if not _KEYBOARD.search(track.name)] if len(tracks) > 2 else []
        voices = voices or [max(tracks, key=mean_pitch)]
    lead = max(voices, key=lambda track: (len(track.words), mean_pitch(track)))
    roles = {id(track): "voices" for track in voices} | {id(lead): "melody"}
    return [
        replace(track, role=roles.get(id(track), "accompaniment"), words=track.words if track is lead else ())
        for track in tracks
    ]


def _choral(tracks: Sequence[Track]) -> list[Track]:
    sung = [track for track in tracks if is_voice(track)] or list(tracks)
    lead = max(sung, key=mean_pitch)
    voices = {id(track) for track in sung}
    return [
        replace(
            track,
            role="melody" if track is lead else "voices" if id(track) in voices else "accompaniment",
            words=track.words if track is lead else (),
        )
        for track in tracks
    ]


def _keyboard(tracks: Sequence[Track]) -> list[Track]:
    top = max(tracks, key=mean_pitch)
    return [replace(track, role="keyboard" if track is top else "accompaniment", words=()) for track in tracks]


def _chamber(tracks: Sequence[Track]) -> list[Track]:
    if len(tracks) == 1:
        return _keyboard(tracks)
    end = max(track.notes[-1].onset for track in tracks) + 1
    strings_first = [track for track in tracks if _FIRST_VIOLIN.search(track.name) or track.program == 40]
    busy = [track for track in tracks if sum(note.duration for note in track.notes) > end / 2] or list(tracks)
    lead = strings_first[0] if strings_first else max(busy, key=mean_pitch)
    basses = [track for track in tracks if track.program == 43 or _BASS.search(track.name)]
    if not basses and len(tracks) > 4:
        basses = [track for track in tracks if track.program == 42 or _CELLO.search(track.name)][-1:]
    low = {id(track) for track in basses if track is not lead}

    def role(track: Track) -> str:
        if track is lead:
            return "melody"
        if id(track) in low:
            return "bass"
        program = 40 if track.program is None else track.program
        if program < 32 or _is_chordal(track) or _KEYBOARD.search(track.name) or _PLUCKED.search(track.name):
            return "accompaniment"
        few = len(tracks) <= FEW
        return "voices" if program in _STRINGS or program in _VOICE_PROGRAMS or few else "accompaniment"

    return [replace(track, role=role(track), words=()) for track in tracks]


def _is_chordal(track: Track) -> bool:
    """More than a double stop now and then."""
    return len({note.onset for note in track.notes}) < (1 - CHORDAL) * len(track.notes)


def _band(tracks: Sequence[Track]) -> list[Track]:
    tracks = [track for track in tracks if track.program is None or track.program not in _EFFECTS]
    if not tracks:
        return []
    bass = {
        id(track)
        for track in tracks
        if (track.program is not None and 32 <= track.program < 40) or (track.program is None and "bass" in track.name)
    }
    others = [track for track in tracks if id(track) not in bass]
    lead = max(others, key=_lead_score, default=None)
    return [
        replace(track, role="melody" if track is lead else "bass" if id(track) in bass else "accompaniment", words=())
        for track in tracks
    ]


def _lead_score(track: Track) -> float:
    """How much a track sounds like the tune: one voice (share of onsets with a single note), high, varied, long."""
    onsets = len({note.onset for note in track.notes})
    single = onsets / len(track.notes)
    variety = min(1.0, len({note.pitch for note in track.notes}) / 12)
    register = min(1.0, max(0.0, (mean_pitch(track) - 48) / 24))
    return single**2 + variety + register + min(1.0, onsets / 100)
