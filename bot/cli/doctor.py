"""`doctor`: one line for everything that must be there, and `sounds fetch` for what can be fetched."""

from __future__ import annotations

import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import imageio_ffmpeg
import typer

import generator
from bot.app import find_soundfont, open_app
from bot.cli.context import AsJson, err, out, print_json, run, say, settings
from bot.errors import BotError, EngineError, Refused
from bot.settings import ENV_FILE, Settings, unknown_variables

_NEED_MIB = 500
_MARKS = {True: "ok", False: "MISSING", None: "note"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`good` is True, False (needed and missing) or None (worth knowing)."""

    name: str
    good: bool | None
    detail: str


def add_doctor(app: typer.Typer) -> None:
    @app.command()
    def doctor(as_json: AsJson = False) -> None:
        """Say what is there and what is missing; exit code 1 if something needed is."""
        chosen = settings()
        findings = [*_findings(chosen), *run(_database(chosen))]
        if as_json:
            print_json([asdict(finding) for finding in findings])
        else:
            for finding in findings:
                line = f"{_MARKS[finding.good]:<8} {finding.name:<12} {finding.detail}"
                out.print(line, markup=False, soft_wrap=True)
        if any(finding.good is False for finding in findings):
            raise typer.Exit(1)

    sounds = typer.Typer(no_args_is_help=True, help="The sounds of acoustic instruments.")
    app.add_typer(sounds, name="sounds")

    @sounds.command()
    def fetch() -> None:
        """Fetch the FluidR3 SoundFont into the home folder."""
        found = fetch_sounds(settings())
        if found is None:
            raise EngineError("The sounds could not be fetched; pieces use synthesised voices for every instrument.")
        out.print(str(found), markup=False, soft_wrap=True)

    @sounds.callback()
    def group() -> None:
        """The sounds of acoustic instruments."""


def fetch_sounds(chosen: Settings) -> Path | None:
    """Fetch the SoundFont, telling the person on standard error; None when that is impossible."""
    from generator.render.sounds import fetch_soundfont  # noqa: PLC0415 - keeps start-up light

    chosen.home.mkdir(parents=True, exist_ok=True)
    with err.status("Fetching sounds …"):
        return fetch_soundfont(chosen.home, say)


def _findings(chosen: Settings) -> Iterator[Finding]:
    version = platform.python_version_tuple()
    yield Finding("python", (int(version[0]), int(version[1])) >= (3, 11), platform.python_version())
    for name in ("torch", "discord.py", "SQLAlchemy", "scikit-learn"):
        try:
            yield Finding(name, True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed; run `make demo` or pip install --editable .")
    yield _ffmpeg()
    yield _voice()
    soundfont = find_soundfont(chosen)
    yield Finding("soundfont", None if soundfont is None else True, _soundfont_detail(soundfont))
    weights = sorted((Path(generator.__file__).parent / "model" / "weights").glob("*.safetensors"))
    yield Finding("weights", bool(weights), ", ".join(path.name for path in weights) or "none; run `tunesmith train`")
    yield _disk(chosen.home)
    token = chosen.discord_token
    yield Finding(
        "token", None if token is None else True, "not set; only `serve` needs it" if token is None else "set"
    )
    yield from _env_file()
    yield from (Finding("setting", None, sentence) for sentence in unknown_variables())


def _env_file() -> Iterator[Finding]:
    path = Path(ENV_FILE)
    if path.exists() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Finding("secrets", None, f"{path} can be read by others on this machine; chmod 600 {path}")


def _soundfont_detail(soundfont: Path | None) -> str:
    if soundfont is None:
        return "none; synthesised voices are used for every instrument (`tunesmith sounds fetch`)"
    return str(soundfont)


def _ffmpeg() -> Finding:
    try:
        path = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, check=True, timeout=20)  # noqa: S603
        return Finding("ffmpeg", True, f"{' '.join(answer.stdout.split()[:3])} ({path})")
    except (RuntimeError, OSError, subprocess.SubprocessError):
        return Finding("ffmpeg", False, "none; install ffmpeg or imageio-ffmpeg")


def _voice() -> Finding:
    """What /radio needs; a bot without it does all the rest."""
    from bot.discord_front.voice import missing, opus_version  # noqa: PLC0415 - the library takes a second to import

    lacking = missing()
    if lacking is not None:
        return Finding("voice", None, str(Refused(lacking)))
    return Finding("voice", True, f"{opus_version()}, for /radio")


def _disk(home: Path) -> Finding:
    existing = next(place for place in (home, *home.parents) if place.exists())
    free = shutil.disk_usage(existing).free // 2**20
    return Finding("disk", free >= _NEED_MIB, f"{free} MiB free at {home}")


async def _database(chosen: Settings) -> list[Finding]:
    try:
        async with open_app(chosen) as app:
            facts = await app.store.database.describe()
            waiting = await app.queue.composing()
    except BotError as error:
        return [Finding("database", False, str(error))]
    journal = f", journal {facts['journal']}" if "journal" in facts else ""
    findings = [Finding("database", True, f"{facts['backend']}, schema {facts['schema']}{journal}")]
    if waiting:
        findings.append(Finding("queue", None, f"{waiting} unfinished; `serve` or `worker --drain` finishes them"))
    if facts.get("note"):
        findings.append(Finding("sqlite", None, facts["note"]))
    return findings


def ensure_sounds(chosen: Settings) -> Path | None:
    """The SoundFont that is there, or a freshly fetched one; None, with a sentence, when there is none to have."""
    return find_soundfont(chosen) or fetch_sounds(chosen)
