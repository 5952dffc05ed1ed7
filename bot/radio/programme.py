"""What a radio plays next: one new piece is always in the making or ready; what is loved fills the gaps."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import NotFoundError, Refused, UserError
from bot.jobs.job import State
from bot.radio.mixer import Mixer, decode
from bot.service import Service, TrackRecord

TEXT = "music"  # what is asked for where nobody says more: taste, mood and chance decide
_ENCORES = 20
_LATE_S = 1.5  # before a fade would begin: time to decode something else
_PATIENCE = 3  # pieces that may fail one after the other


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked of a radio when it was started."""

    text: str = TEXT
    style: str | None = None


class Programme:
    """For one radio; `advance` every second or so, `end` once. Decoded pieces pass through `folder`."""

    def __init__(
        self, service: Service, mixer: Mixer, folder: Path, *, server_id: str, host: str, wishes: Wishes
    ) -> None:
        self._service = service
        self._mixer = mixer
        self._folder = folder
        self._server_id = server_id
        self._host = host
        self._wishes = wishes
        self._encores: deque[TrackRecord] = deque(maxlen=_ENCORES)
        self._failures = 0
        self.job_id: str | None = None
        self.playing: str | None = None

    async def begin(self) -> None:
        """Find what can be played until the first new piece is there."""
        self._encores.extend(await self._service.favourites(self._host))

    async def advance(self, room: Sequence[str]) -> None:
        """Order, fetch or fill in what follows; `room` are the listeners there now.

        Raises UserError when new pieces cannot be had: not accepted, or failed several times.
        """
        if self._mixer.waiting is not None:
            return
        if self.job_id is None:
            self.job_id = await self._order(room)
        job = await self._service.job(self.job_id)
        if job.state is State.DONE:
            self.job_id = None
            self._failures = 0
            track = await self._service.track(job.id)
            self._encores.append(track)
            await self._put_on(track)
        elif job.finished:
            self.job_id = None
            self._failures += job.state is State.FAILED
            if self._failures >= _PATIENCE:
                raise UserError(job.error) if job.error else Refused("errors.ours")
        elif self._mixer.left_s < self._mixer.fade_s + _LATE_S:
            await self._fill_in()

    async def end(self) -> None:
        """Stop composing what nobody will hear."""
        if self.job_id is not None:
            await self._service.pieces.cancel_background(self.job_id)
            self.job_id = None

    async def _order(self, room: Sequence[str]) -> str:
        """A piece for those who are there and known; the one who started the radio speaks for those who are not."""
        known = [one for one in room if await self._service.known(one)]
        first = self._host if self._host in known or not known else known[0]
        others = tuple(one for one in known if one != first)
        styles = None if self._wishes.style is None else (self._wishes.style,)
        request = self._service.request(self._wishes.text, styles=styles, blend_with=others[:9])
        return (await self._service.broadcast(first, request, self._server_id)).id

    async def _fill_in(self) -> None:
        for _ in range(len(self._encores)):
            track = self._encores.popleft()
            if track.id == self.playing:
                self._encores.append(track)
                continue
            try:
                await self._put_on(await self._service.track(track.id))
            except NotFoundError:  # deleted since
                continue
            self._encores.append(track)
            return

    async def _put_on(self, track: TrackRecord) -> None:
        await asyncio.to_thread(self._load, track.id, Path(track.files["mp3"]))

    def _load(self, track_id: str, audio: Path) -> None:
        samples = self._folder / f"{track_id}.pcm"
        decode(audio, samples)
        self._mixer.follow(track_id, samples)
        samples.unlink()  # it lives on while the mixer has it open
