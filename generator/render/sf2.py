"""Reads SoundFont 2 files: presets flattened to zones, and the samples they point at.

Follows the SoundFont 2.04 specification (chapters 7 to 9). Everything in a file is untrusted: whatever does not
fit is a SoundError, and samples stay on disk until a zone is used. Knows nothing of how a zone is played.
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.errors import SoundError

Samples = NDArray[np.int16]
Records = NDArray[Any]

MAX_ZONES = 20_000
"""More zones in one preset than any real file has; a guard against crafted ones."""
MAX_TABLE_BYTES = 1 << 25
"""Of one table of records; those of fonts of a gigabyte have a few megabytes. Only these tables are held in memory."""
MAX_CHUNKS = 1000
"""In one list; the specification knows some thirty."""
MAX_SAMPLES = 1 << 24
"""Of one sample: six minutes, more than any note of an instrument."""

_RECORDS = {
    "phdr": np.dtype([("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]),
    "pbag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    "pgen": np.dtype([("oper", "<u2"), ("amount", "<i2")]),
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    "ibag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    "imod": np.dtype([("source", "<u2"), ("dest", "<u2"), ("amount", "<i2"), ("by", "<u2"), ("form", "<u2")]),
    "igen": np.dtype([("oper", "<u2"), ("amount", "<i2")]),
    "shdr": np.dtype(
        [
            ("name", "S20"),
            *((name, "<u4") for name in ("start", "end", "loop_start", "loop_end", "rate")),
            *(("root", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")),
        ]
    ),
}

# Generator numbers (specification 8.1.2) by the names used here, with their default amounts.
_GENERATORS: dict[str, tuple[int, int]] = {
    "start_offset": (0, 0), "end_offset": (1, 0), "loop_start_offset": (2, 0), "loop_end_offset": (3, 0),
    "start_coarse": (4, 0), "mod_lfo_to_pitch": (5, 0), "vib_lfo_to_pitch": (6, 0), "mod_env_to_pitch": (7, 0),
    "filter_fc": (8, 13500), "filter_q": (9, 0), "mod_lfo_to_filter": (10, 0), "mod_env_to_filter": (11, 0),
    "end_coarse": (12, 0), "pan": (17, 0), "mod_lfo_to_volume": (13, 0), "delay_mod_lfo": (21, -12000),
    "freq_mod_lfo": (22, 0), "delay_vib_lfo": (23, -12000), "freq_vib_lfo": (24, 0),
    "delay_mod_env": (25, -12000), "attack_mod_env": (26, -12000), "hold_mod_env": (27, -12000),
    "decay_mod_env": (28, -12000), "sustain_mod_env": (29, 0), "release_mod_env": (30, -12000),
    "key_to_mod_hold": (31, 0), "key_to_mod_decay": (32, 0),
    "delay_vol_env": (33, -12000), "attack_vol_env": (34, -12000), "hold_vol_env": (35, -12000),
    "decay_vol_env": (36, -12000), "sustain_vol_env": (37, 0), "release_vol_env": (38, -12000),
    "key_to_vol_hold": (39, 0), "key_to_vol_decay": (40, 0), "loop_start_coarse": (45, 0),
    "fixed_key": (46, -1), "fixed_velocity": (47, -1), "attenuation": (48, 0), "loop_end_coarse": (50, 0),
    "coarse_tune": (51, 0), "fine_tune": (52, 0), "sample_mode": (54, 0), "scale_tuning": (56, 100),
    "exclusive_class": (57, 0), "root_key": (58, -1),
}  # fmt: skip
_NAMES = {number: name for name, (number, _) in _GENERATORS.items()}
_INSTRUMENT, _KEY_RANGE, _VELOCITY_RANGE, _SAMPLE_ID = 41, 43, 44, 53
# Only these make sense in an instrument; a preset zone may not add to them (specification 8.5).
_NOT_IN_PRESETS = {
    "start_offset", "end_offset", "loop_start_offset", "loop_end_offset", "start_coarse", "end_coarse",
    "loop_start_coarse", "loop_end_coarse", "fixed_key", "fixed_velocity", "sample_mode", "exclusive_class", "root_key",
}  # fmt: skip

_VELOCITY_TO_ATTENUATION = (0x0502, 48)  # note-on velocity, concave, falling
_VELOCITY_TO_FILTER = (0x0102, 8)  # note-on velocity, linear, falling
_ROM = 0x8000


@dataclass(frozen=True, slots=True)
class Zone:
    """One sample and how it sounds for a range of keys and velocities.

    `start`, `end`, `loop_start`, `loop_end` are positions in the sample pool; `generators` are final amounts in
    the units of the specification. `velocity_to_attenuation` is in centibels, `velocity_to_filter` in cents.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    root: int
    correction: int
    generators: Mapping[str, int]
    velocity_to_attenuation: int
    velocity_to_filter: int

    def plays(self, pitch: int, velocity: int) -> bool:
        return self.keys[0] <= pitch <= self.keys[1] and self.velocities[0] <= velocity <= self.velocities[1]


@dataclass(frozen=True, slots=True)
class _Bag:
    """The generators of one zone as written: amounts by name, ranges, and what it points at."""

    amounts: dict[str, int]
    keys: tuple[int, int]
    velocities: tuple[int, int]
    target: int | None
    modulators: dict[tuple[int, int], int]


class SoundFont:
    """An open SoundFont 2 file: `zones(bank, program)` and `samples(start, end)`."""

    def __init__(self, path: Path, pool: tuple[int, int], records: dict[str, Records]) -> None:
        self._path, (self._offset, self._length) = path, pool
        self._records = records
        self._presets = {
            (int(row["bank"]), int(row["preset"])): index for index, row in enumerate(records["phdr"][:-1])
        }
        self._zones: dict[tuple[int, int], tuple[Zone, ...]] = {}

    def samples(self, start: int, end: int) -> Samples:
        """The raw samples of a stretch of the pool, read from the file; int16 [end - start]. Raises SoundError.

        They are not mapped into memory: a process that has played many instruments would seem to hold the whole font.
        """
        count = max(min(end, self._length) - start, 0)
        try:
            read: Samples = np.fromfile(self._path, "<i2", count, offset=self._offset + 2 * start)
        except OSError as error:
            raise SoundError(f"The soundfont {self._path.name} cannot be read: {error.strerror}.") from error
        if len(read) < count:
            raise SoundError(f"The soundfont {self._path.name} has changed while it was played.")
        return read

    @property
    def presets(self) -> Collection[tuple[int, int]]:
        """(bank, program) of every preset."""
        return self._presets.keys()

    def zones(self, bank: int, program: int) -> tuple[Zone, ...]:
        """Every zone of a preset; empty when the file has no such preset. Raises SoundError."""
        wanted = (bank, program)
        if wanted not in self._presets:
            return ()
        if wanted not in self._zones:
            self._zones[wanted] = tuple(self._flatten(self._presets[wanted]))
        return self._zones[wanted]

    def _flatten(self, preset: int) -> Iterator[Zone]:
        count = 0
        headers = self._records["phdr"]
        for outer in self._bags("p", int(headers["bag"][preset]), int(headers["bag"][preset + 1]), _INSTRUMENT):
            if outer.target is None:
                continue
            instruments = self._records["inst"]
            if outer.target >= len(instruments) - 1:
                raise SoundError("The soundfont is damaged: a preset points at an instrument that is not there.")
            first, last = int(instruments["bag"][outer.target]), int(instruments["bag"][outer.target + 1])
            for inner in self._bags("i", first, last, _SAMPLE_ID):
                zone = self._zone(outer, inner)
                if zone is not None:
                    count += 1
                    if count > MAX_ZONES:
                        raise SoundError("The soundfont is damaged: a preset has too many zones.")
                    yield zone

    def _bags(self, kind: str, first: int, last: int, target: int) -> Iterator[_Bag]:
        """Zones first … last-1 with the global zone (a first one without target) folded in."""
        bags = self._records[f"{kind}bag"]
        if not 0 <= first <= last < len(bags):
            raise SoundError("The soundfont is damaged: its zones do not line up.")
        shared: _Bag | None = None
        for index in range(first, last):
            bag = self._bag(kind, index, target, shared)
            if index == first and bag.target is None:
                shared = bag
                continue
            yield bag

    def _bag(self, kind: str, index: int, target: int, shared: _Bag | None) -> _Bag:
        bags, generators = self._records[f"{kind}bag"], self._records[f"{kind}gen"]
        amounts = dict(shared.amounts) if shared else {}
        keys, velocities = (shared.keys, shared.velocities) if shared else ((0, 127), (0, 127))
        pointed: int | None = None
        first, last = int(bags["gen"][index]), int(bags["gen"][index + 1])
        if not 0 <= first <= last <= len(generators):
            raise SoundError("The soundfont is damaged: its generators do not line up.")
        for oper, amount in generators[first:last].tolist():
            if oper == _KEY_RANGE:
                keys = (amount & 0xFF, amount >> 8 & 0xFF)
            elif oper == _VELOCITY_RANGE:
                velocities = (amount & 0xFF, amount >> 8 & 0xFF)
            elif oper == target:
                pointed = amount & 0xFFFF
            elif oper in _NAMES:
                amounts[_NAMES[oper]] = amount
        modulators = dict(shared.modulators) if shared else {}
        if kind == "i":
            modulators |= self._velocity_modulators(int(bags["mod"][index]), int(bags["mod"][index + 1]))
        return _Bag(amounts, keys, velocities, pointed, modulators)

    def _velocity_modulators(self, first: int, last: int) -> dict[tuple[int, int], int]:
        """The two default velocity modulators, where the instrument overrides them."""
        rows = self._records["imod"][first:last].tolist()
        known = {_VELOCITY_TO_ATTENUATION, _VELOCITY_TO_FILTER}
        return {(source, dest): amount for source, dest, amount, _, _ in rows if (source, dest) in known}

    def _zone(self, outer: _Bag, inner: _Bag) -> Zone | None:
        keys = (max(outer.keys[0], inner.keys[0]), min(outer.keys[1], inner.keys[1]))
        velocities = (
            max(outer.velocities[0], inner.velocities[0]),
            min(outer.velocities[1], inner.velocities[1]),
        )
        if inner.target is None or keys[0] > keys[1] or velocities[0] > velocities[1]:
            return None
        headers = self._records["shdr"]
        if inner.target >= len(headers) - 1:
            raise SoundError("The soundfont is damaged: an instrument points at a sample that is not there.")
        header = headers[inner.target]
        if int(header["kind"]) & _ROM:  # lives in a sound card's memory, not in the file
            return None
        amounts = {name: default for name, (_, default) in _GENERATORS.items()} | inner.amounts
        for name, amount in outer.amounts.items():
            if name not in _NOT_IN_PRESETS:
                amounts[name] += amount
        start, end, loop_start, loop_end = _points(header, amounts, self._length)
        if end - start < 2:
            return None
        if end - start > MAX_SAMPLES:
            raise SoundError("The soundfont is damaged: a sample is longer than any instrument sounds.")
        # 0 plays once, 1 loops, 3 loops until the note ends; anything else plays once (specification 8.1.2, 54).
        if amounts["sample_mode"] not in {1, 3} or loop_end - loop_start < 2:
            amounts["sample_mode"] = 0
        rate = int(header["rate"])
        if not 400 <= rate <= 400_000:
            raise SoundError("The soundfont is damaged: a sample has an impossible sampling rate.")
        return Zone(
            keys, velocities, start, end, loop_start, loop_end, rate,
            root=amounts["root_key"] if 0 <= amounts["root_key"] <= 127 else min(int(header["root"]), 127),
            correction=int(header["correction"]),
            generators=amounts,
            velocity_to_attenuation=inner.modulators.get(_VELOCITY_TO_ATTENUATION, 960),
            velocity_to_filter=inner.modulators.get(_VELOCITY_TO_FILTER, -2400),
        )  # fmt: skip


def _points(header: Any, amounts: Mapping[str, int], size: int) -> tuple[int, int, int, int]:
    """Start, end, loop start and loop end with the zone's offsets, forced into the pool and into order."""

    def point(field: str, fine: str, coarse: str) -> int:
        return int(header[field]) + amounts[fine] + 32768 * amounts[coarse]

    start = min(max(point("start", "start_offset", "start_coarse"), 0), size)
    end = min(max(point("end", "end_offset", "end_coarse"), start), size)
    loop_start = min(max(point("loop_start", "loop_start_offset", "loop_start_coarse"), start), end)
    loop_end = min(max(point("loop_end", "loop_end_offset", "loop_end_coarse"), loop_start), end)
    return start, end, loop_start, loop_end


@lru_cache(maxsize=4)
def _open(path: Path, _size: int, _changed_ns: int) -> SoundFont:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            pool_at, pool_size, records = _read(view)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped: ValueError
        raise SoundError(f"The soundfont {path.name} cannot be read: {error}.") from error
    return SoundFont(path, (pool_at, pool_size // 2), records)


def open_soundfont(path: Path) -> SoundFont:
    """Open a SoundFont 2 file; an unchanged file is parsed once.

    Raises SoundError when it is missing, truncated, damaged or something else.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise SoundError(f"The soundfont {path} cannot be read: {error.strerror}.") from error
    return _open(path, status.st_size, status.st_mtime_ns)


def _read(view: mmap.mmap) -> tuple[int, int, dict[str, Records]]:
    """Offset and bytes of the sample pool, and the header records by name."""
    if len(view) < 12 or view[:4] != b"RIFF" or view[8:12] != b"sfbk":
        raise SoundError("This file is not a SoundFont 2 file.")
    pool: tuple[int, int] | None = None
    records: dict[str, Records] = {}
    for name, at, size in _chunks(view, 12, len(view)):
        if name != b"LIST":
            continue
        for inner, inner_at, inner_size in _chunks(view, at + 4, at + size):
            key = inner.decode("latin-1")
            if key == "smpl":
                pool = inner_at, inner_size
            elif key in _RECORDS:
                kind = _RECORDS[key]
                if inner_size > MAX_TABLE_BYTES:
                    raise SoundError("The soundfont is damaged: one of its tables is larger than any real one.")
                records[key] = np.frombuffer(
                    view[inner_at : inner_at + inner_size // kind.itemsize * kind.itemsize], kind
                )
    missing = sorted(set(_RECORDS) - set(records) - {"imod"})
    if missing or pool is None or pool[1] < 4:
        raise SoundError("The soundfont is damaged: some of its tables are missing.")
    records.setdefault("imod", np.zeros(0, _RECORDS["imod"]))
    if any(len(records[name]) < 1 for name in ("phdr", "inst", "shdr", "pbag", "ibag")):
        raise SoundError("The soundfont is damaged: some of its tables are empty.")
    return pool[0], pool[1], records


def _chunks(view: mmap.mmap, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, size) of the RIFF chunks between two offsets."""
    for number in itertools.count():
        if at + 8 > end:
            return
        if number == MAX_CHUNKS:
            raise SoundError("The soundfont is damaged: it has too many pieces.")
        size = int.from_bytes(view[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            raise SoundError("The soundfont is cut short.")
        yield view[at : at + 4], at + 8, size
        at += 8 + size + size % 2
