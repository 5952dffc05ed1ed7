"""Listening histories: true formats, wrong packages, damaged files; nothing private is kept."""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app import open_app
from bot.settings import load_settings
from personalization.genres import GENRES, normalise, styles_of_genre
from personalization.listens import HistoryError, Listen, Source, counts_as_play
from personalization.profile import ArtistPlays, summarise_plays
from personalization.sources.exports import Export
from personalization.sources.records import records

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "sample_history" / "Streaming_History_Audio_2025-2026_0.json"


def _read(path: Path) -> tuple[Export, list[Listen]]:
    export = Export(path)
    return export, list(export)


def _row(**changes):
    row = {
        "ts": "2025-11-20T18:02:11Z", "ms_played": 200_000, "ip_addr": "192.0.2.7", "conn_country": "ZZ",
        "master_metadata_track_name": "Song", "master_metadata_album_artist_name": "Artist",
        "master_metadata_album_album_name": "Album", "incognito_mode": False,
    }  # fmt: skip
    return row | changes


def _listen(**changes):
    return {
        "listened_at": 1763661731,
        "track_metadata": {"artist_name": "Artist", "track_name": "Song", "additional_info": {"tags": ["lo-fi"]}},
    } | changes


def _write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_the_sample_history_has_plays_and_skips():
    export, listens = _read(SAMPLE)
    assert export.package == "Spotify extended streaming history"
    assert len(listens) > 150
    assert {play.source for play in listens} == {Source.SPOTIFY_EXPORT}
    assert all(export.skipped[reason] for reason in ("private session", "podcast or unnamed", "played under 30 s"))
    assert export.fraction == 1.0


def test_addresses_and_countries_are_dropped(tmp_path):
    _, listens = _read(_write(tmp_path / "h.json", [_row()]))
    assert "192.0.2.7" not in repr(listens)
    assert "ZZ" not in repr(listens)


def test_a_zip_is_read_from_the_stream(tmp_path):
    path = tmp_path / "my_spotify_data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "MyData/Streaming_History_Audio_2025_0.json", json.dumps([_row(), _row(ts="2025-01-01T00:00:00Z")])
        )
        archive.writestr("MyData/ReadMeFirst.pdf", b"%PDF")
        archive.writestr("MyData/Streaming_History_Video_2025.json", json.dumps([_row(ts="2025-11-21T00:00:00Z")]))
    assert len(_read(path)[1]) == 3
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("packed", [True, False])
def test_progress_rises_within_one_large_file(tmp_path, packed):
    text = json.dumps([_row(ts=f"2025-01-{1 + n % 28:02}T{n % 24:02}:00:00Z") for n in range(4000)], indent=2)
    path = _write(tmp_path / "h.json", text)
    if packed:
        with zipfile.ZipFile(tmp_path / "h.zip", "w", zipfile.ZIP_STORED) as archive:
            archive.write(path, "h.json")
        path = tmp_path / "h.zip"
    export = Export(path)
    shares = [export.fraction for _ in export]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5 < shares[-1] <= 1
    assert len(set(shares)) >= 4


def test_listenbrainz_lines_with_tags(tmp_path):
    lines = "\n".join(json.dumps(_listen(listened_at=1763661731 + i * 200)) for i in range(3))
    export, listens = _read(_write(tmp_path / "11.jsonl", lines + "\n"))
    assert export.package == "ListenBrainz export"
    assert [listen.genres for listen in listens] == [("lo-fi",)] * 3
    assert len(_read(_write(tmp_path / "one.jsonl", json.dumps(_listen()) + "\n"))[1]) == 1
    path = tmp_path / "listenbrainz_export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user.json", json.dumps({"user_id": 1, "username": "ada"}))
        archive.writestr("listens/2025/11.jsonl", lines)
        archive.writestr("listens/2025/12.jsonl", lines)
        archive.writestr("feedback.jsonl", json.dumps({"recording_msid": "x", "score": 1, "created": 1}))
    export, listens = _read(path)
    assert len(listens) == 6
    assert export.skipped == {"not a play": 2}


_APPLE = (
    "Album Name,Song Name,Container Artist Name,Play Duration Milliseconds,Media Duration In Milliseconds,"
    "Event Start Timestamp,Event Type\r\n"
)


@pytest.mark.parametrize(
    ("content", "source", "expected"),
    [
        ([{"endTime": "2026-01-31 20:15", "artistName": "Ado", "trackName": "Usseewa", "msPlayed": 200_000}],
         Source.SPOTIFY_ACCOUNT, ("Ado", "Usseewa", None, "2026-01-31T20:15:00+00:00")),
        (("uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
          '"1763661731","20 Nov 2025, 18:02","Björk","","Post","","Hyperballad, live",""\n'),
         Source.LASTFM, ("Björk", "Hyperballad, live", "Post", "2025-11-20T18:02:11+00:00")),
        ('Björk,Post,"Hyperballad, live",20 Nov 2025 18:02\n',
         Source.LASTFM, ("Björk", "Hyperballad, live", "Post", "2025-11-20T18:02:00+00:00")),
        ([[{"artist": {"#text": "Björk", "mbid": ""}, "name": "Jóga", "album": {"#text": ""},
            "date": {"uts": "1763661731", "#text": "20 Nov 2025"}}]],
         Source.LASTFM, ("Björk", "Jóga", None, "2025-11-20T18:02:11+00:00")),
        (_APPLE + "Post,Isobel,Björk,240000,347000,2025-11-20T18:02:11.250Z,PLAY_END\r\n"
         "Post,Isobel,Björk,240000,347000,2025-11-20T18:02:11Z,PLAY_START\r\n"
         "Post,Isobel,,240000,347000,2025-11-20T19:02:11Z,PLAY_END\r\n",
         Source.APPLE, ("Björk", "Isobel", "Post", "2025-11-20T18:02:11.250000+00:00")),
    ],
)  # fmt: skip
def test_every_package_is_known_by_its_content(tmp_path, content, source, expected):
    export, (play,) = _read(_write(tmp_path / "whatever.dat", content))
    assert play.source is source
    assert (play.artist, play.title, play.album, play.played_at.isoformat()) == expected
    assert bool(export.notes) is (source is Source.SPOTIFY_ACCOUNT)
    assert all("Account data" in note for note in export.notes)


def test_apples_archive_in_an_archive(tmp_path):
    inner, path = io.BytesIO(), tmp_path / "Apple_Media_Services.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "Apple Music Activity/Apple Music Play Activity.csv",
            _APPLE + "Post,Isobel,Björk,240000,347000,2025-11-20T18:02:11Z,PLAY_END\n",
        )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Apple_Media_Services/Apple Media Services.zip", inner.getvalue())
    assert [play.title for play in _read(path)[1]] == ["Isobel"]


def test_what_lies_before_a_break_is_kept_and_the_break_is_told(tmp_path):
    whole = json.dumps([_row(ts=f"2025-11-20T{hour:02}:00:00Z") for hour in range(20)])
    export, listens = _read(_write(tmp_path / "h.json", whole[:-40]))
    assert len(listens) == 19
    assert "cut off" in export.notes[0]
    path = tmp_path / "h.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", whole[:-40])
        archive.writestr("b.json", json.dumps([_row()]))
    assert len(_read(path)[1]) == 20


def test_evidence_from_spotify_is_never_a_listen():
    with pytest.raises(ValueError, match="never kept"):
        Listen(Source.SPOTIFY, datetime.now(UTC), "A", "T")
    assert [source for source in Source if source.trainable] == [Source.SELF]
    assert [source for source in Source if not source.storable] == [Source.SPOTIFY]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("h.json", '[{"ts": "2025-', "cut off"),
        ("h.json", "[]", "no listening history"),
        ("h.json", "", "no listening history"),
        ("playlists.json", {"playlists": []}, "is Spotify playlists; send the streaming history"),
        ("large.json", {"playlists": [{"name": "x" * 50}] * 50_000}, "no listening history"),
        ("notes.txt", "bread, milk and honey", "no listening history"),
        ("daily.csv", "Country,Track Description,Date Played\nZZ,Isobel,20251120\n", "Play Activity"),
        ("deep.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_wrong_files_get_one_sentence(tmp_path, name, content, says):
    with pytest.raises(HistoryError, match=says) as caught:
        _read(_write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_broken_and_wrong_archives(tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(HistoryError, match="broken"):
        _read(broken)
    wrong = tmp_path / "holiday.zip"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8")
    with pytest.raises(HistoryError, match="no JSON or CSV"):
        _read(wrong)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * 3_000_000)
    with pytest.raises(HistoryError, match="unreasonable"):
        _read(bomb)
    with pytest.raises(HistoryError, match="no file"):
        _read(tmp_path / "missing.json")


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(_row())), _json_values) | _json_values, max_size=6))
def test_mangled_rows_never_crash_and_good_ones_survive(tmp_path_factory, rows):
    path = _write(tmp_path_factory.mktemp("h") / "h.json", [*rows, _row()])
    assert any(listen.artist == "Artist" for listen in _read(path)[1])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["listened_at", "track_metadata"]), _json_values), st.binary(max_size=60))
def test_mangled_bytes_are_explained(tmp_path_factory, row, noise):
    folder = tmp_path_factory.mktemp("h")
    for path, data in (
        (folder / "a.jsonl", json.dumps(row).encode()),
        (folder / "b.zip", noise),
        (folder / "c.json", noise),
    ):
        path.write_bytes(data)
        try:
            _read(path)
        except HistoryError as error:
            assert "\n" not in str(error)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_damaged_archive_is_explained(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("z") / "h.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("h.json", json.dumps([_row()] * 20))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(1, len(raw)))]))
    try:
        _read(path)
    except HistoryError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("played", "length", "counts"),
    [(29_999, None, False), (30_000, None, True), (40_000, 100_000, False), (60_000, 100_000, True),
     (240_000, 10**7, True), (None, None, True)],
)  # fmt: skip
def test_the_play_rule(played, length, counts):
    assert counts_as_play(played, length) is counts


def test_plays_become_styles_and_the_unknown_is_listed():
    heard = summarise_plays((
        ArtistPlays("Nujabes", (), 40, "lastfm"), ArtistPlays("Nobody We Know", (), 7, "lastfm"),
        ArtistPlays("Someone", ("melodic deep house", "wonky genre"), 5, "listenbrainz"),
    ))  # fmt: skip
    assert sum(heard.styles.values()) == pytest.approx(1.0)
    assert max(heard.styles, key=heard.styles.get) == "lofi"
    assert heard.styles["house"] > 0
    assert heard.top_artists["lofi"] == ("Nujabes",)
    assert set(heard.unknown) == {"Nobody We Know", "wonky genre"}
    assert (heard.placed_plays, heard.all_plays) == (45, 52)


def test_a_genre_counts_as_its_parent_and_a_foreign_one_stays_unknown():
    assert styles_of_genre("Britpop") == styles_of_genre("alternative rock")
    assert styles_of_genre("happy hardcore") == {"house": 1}
    assert styles_of_genre("Chicago gabber") == {"house": 1}
    for foreign in ("reggae", "highlife", "soukous", "gagaku"):
        assert styles_of_genre(foreign) is None
    table = tomllib.loads((ROOT / "personalization" / "genre_parents.toml").read_text("utf-8"))
    assert all(normalise(parent) in GENRES for parent in table)
    kinds = [normalise(kind) for named in table.values() for kind in named]
    assert len(kinds) == len(set(kinds))
    assert not set(kinds) & GENRES.keys()
    assert all(sum(styles.values()) == pytest.approx(1) for styles in GENRES.values())


_CSV_HEADERS = ("uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid", _APPLE.strip(), "a,b,c,d", "")


@settings(deadline=None)
@given(st.sampled_from(_CSV_HEADERS), st.lists(st.text(max_size=40), max_size=5))
def test_mangled_tables_never_crash(tmp_path_factory, header, rows):
    path = tmp_path_factory.mktemp("c") / "h.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8", errors="replace")
    try:
        _read(path)
    except HistoryError as error:
        assert "\n" not in str(error)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(2, 400), min_size=1, max_size=30), st.booleans(), st.integers(0, 3))
def test_no_record_is_lost_however_the_text_is_cut_into_pieces(lengths, as_array, indent):
    rows = [{"number": number, "text": 'é\\"' * length} for number, length in enumerate(lengths)]
    text = json.dumps(rows, indent=indent or None) if as_array else "\n".join(json.dumps(row) for row in rows)

    class Slow(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            return super().read(min(size or 0, 37))

    assert list(records("h.json", Slow(text))) == rows


_JUNK = st.text(st.sampled_from("xyz,:\\\"}0 \n'é"), max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(_JUNK, min_size=2, max_size=8), st.booleans())
def test_what_is_broken_costs_no_whole_record(tmp_path_factory, junk, as_array):
    rows = [json.dumps(_row(ts=f"2025-11-20T{number:02}:00:00Z")) for number in range(len(junk))]
    text = "".join(row + ("," if as_array else "\n") + noise for row, noise in zip(rows, junk, strict=True))
    path = _write(tmp_path_factory.mktemp("j") / "h.json", f"[{text}]" if as_array else text)
    assert len(_read(path)[1]) == len(rows)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_bitten_record_costs_at_most_itself(tmp_path_factory, data):
    rows = [json.dumps(_row(ts=f"2025-11-20T{number:02}:00:00Z"), indent=2) for number in range(6)]
    bitten = data.draw(st.integers(0, 5))
    start = data.draw(st.integers(1, len(rows[bitten]) - 3))
    rows[bitten] = rows[bitten][:start] + rows[bitten][start + data.draw(st.integers(1, 2)) :]
    export, listens = _read(_write(tmp_path_factory.mktemp("b") / "h.json", "[" + ",\n".join(rows) + "]"))
    hours = {play.played_at.hour for play in listens}
    # A lost quotation mark may swallow the record behind it, never one before.
    assert hours >= set(range(6)) - {bitten, bitten + 1}
    assert all("\n" not in note for note in export.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"master_metadata_track_name": "half \ud800 character\0"},
        {"ms_played": 10**30},
        {"master_metadata_album_album_name": "\0"},
    ],
)
async def test_what_no_database_takes_is_mended(tmp_path, changes):
    path = _write(tmp_path / "h.json", [_row(**changes)])
    async with open_app(load_settings(home=tmp_path / "home")) as app:
        assert (await app.service.import_history("ada", path)).new == 1


def test_absurd_numbers_in_a_table_are_skipped(tmp_path):
    rows = [f"Post,Isobel,Björk,{ms},nan,2025-11-20T18:02:11Z,PLAY_END" for ms in ("inf", "nan", "-1", "x", "240000")]
    _, listens = _read(_write(tmp_path / "a.csv", _APPLE + "\r\n".join([*rows, "Post,Isobel"])))
    assert [play.ms_played for play in listens] == [240_000]


def test_what_several_services_count_is_counted_once():
    """The same evenings scrobbled to two services and in two packages of a third: its own sum is the most."""
    plays = (
        ArtistPlays("Nujabes", (), 30, "spotify_export"), ArtistPlays("nujabes", ("lo-fi",), 40, "lastfm"),
        ArtistPlays("Nujabes", (), 35, "listenbrainz"), ArtistPlays("Nujabes", (), 20, "spotify_account"),
        ArtistPlays("Bill Evans", ("jazz",), 50, "lastfm"),
    )  # fmt: skip
    for order in permutations(plays):
        heard = summarise_plays(order)
        assert (heard.all_plays, heard.placed_plays) == (100, 100)
        assert heard.styles["lofi"] == pytest.approx(heard.styles["jazz"])
