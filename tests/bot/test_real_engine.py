"""One piece through the real pipeline in a real worker process, from the request to the posted MP3."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import imageio_ffmpeg
import pytest
from pydub import AudioSegment

from bot.changes import CHANGES
from bot.jobs.job import Job, State
from bot.settings import Settings
from tests.bot.discord_harness import Running, running_bot
from tests.fakes.discord import FakeDiscord, mp3_of


async def test_a_posted_piece_is_the_one_that_was_measured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = {"composer": "generator.pipeline:compose_track", "editor": "generator.remake:edit_folder"}
    real = settings.model_copy(update=engine | {"lease_s": 30.0})
    async with FakeDiscord() as fake:
        fake.patch(monkeypatch)
        async with running_bot(real, fake) as bot:
            wishes = {"text": "chill", "style": "ambient", "length": 15, "seed": 3, "takes": 1}
            asked = await fake.slash("compose", **wishes)
            job = await _over(bot, (await bot.job_of(asked)).id)
            assert (job.state, job.error) == (State.DONE, None)
            changed, _ = await bot.app.service.change("ada", job.id, CHANGES["calmer"])
            assert (await _over(bot, changed.id)).error is None
            calmer = await bot.app.service.track(changed.id)
            message = await bot.posted(asked)
            track = await bot.app.service.track(job.id)
    mp3 = mp3_of(message)
    assert mp3 == Path(track.files["mp3"]).read_bytes()
    AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
    audio = AudioSegment.from_file(io.BytesIO(mp3), format="mp3", codec="mp3")
    assert abs(audio.duration_seconds - track.measured["length_s"]) < 6  # the last notes ring out
    assert track.verified
    assert calmer.verified
    assert calmer.measured["tempo_bpm"] < track.measured["tempo_bpm"]
    assert abs(track.measured["integrated_lufs"] + 17) <= 0.5, "ambient keeps its dynamics"
    assert track.brief["seed"] == 3
    assert set(track.files) >= {"mp3", "mid", "musicxml", "cover", "report", "provenance", "stems"}


async def _over(bot: Running, job_id: str) -> Job:
    async with asyncio.timeout(120):
        while not (job := await bot.app.service.job(job_id)).finished:
            await asyncio.sleep(0.2)
    return job
