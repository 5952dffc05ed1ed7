"""Listening histories: true formats, wrong packages, damaged files; nothing private is kept."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalization.listens import HistoryError, counts_as_play
from personalization.profile import ArtistPlays, summarise_plays
from personalization.sources.exports import LISTENBRAINZ, SPOTIFY, read_export

SAMPLE = Path(__file__).parents[1] / "data" / "sample_history" / "Streaming_History_Audio_2025-2026_0.json"


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
    export = read_export(SAMPLE)
    assert export.source == SPOTIFY
    assert len(export.listens) > 150
    assert export.skipped["private session"] >= 1
    assert export.skipped["podcast or unnamed"] >= 1
    assert export.skipped["played under 30 s"] >= 1
    assert list(export.listens) == sorted(export.listens, key=lambda listen: listen.played_at)


def test_addresses_and_countries_are_dropped(tmp_path):
    export = read_export(_write(tmp_path / "h.json", [_row()]))
    assert "192.0.2.7" not in repr(export)
    assert "ZZ" not in repr(export)


def test_a_zip_is_read_from_the_stream(tmp_path):
    path = tmp_path / "my_spotify_data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MyData/Streaming_History_Audio_2025_0.json", json.dumps([_row(), _row()]))
        archive.writestr("MyData/ReadMeFirst.pdf", b"%PDF")
        archive.writestr("MyData/Streaming_History_Video_2025.json", json.dumps([_row(ts="2025-11-21T00:00:00Z")]))
    export = read_export(path)
    assert len(export.listens) == 2
    assert export.skipped == {"duplicate": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_listenbrainz_lines_with_tags(tmp_path):
    lines = "\n".join(json.dumps(_listen(listened_at=1763661731 + i * 200)) for i in range(3))
    export = read_export(_write(tmp_path / "11.jsonl", lines + "\n"))
    assert export.source == LISTENBRAINZ
    assert [listen.genres for listen in export.listens] == [("lo-fi",)] * 3
    single = read_export(_write(tmp_path / "one.jsonl", json.dumps(_listen()) + "\n"))
    assert len(single.listens) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("h.json", '[{"ts": "2025-', "cut off"),
        ("h.json", "[]", "no listening history"),
        ("h.json", "", "no listening history"),
        ("h.json", [{"endTime": "2025-01-01 10:00", "artistName": "A", "trackName": "B", "msPlayed": 1}], "Extended"),
        ("playlists.json", {"playlists": []}, "no listening history"),
        ("deep.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_wrong_files_get_one_sentence(tmp_path, name, content, says):
    with pytest.raises(HistoryError, match=says) as caught:
        read_export(_write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_broken_and_wrong_archives(tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(HistoryError, match="broken"):
        read_export(broken)
    wrong = tmp_path / "holiday.zip"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8")
    with pytest.raises(HistoryError, match="no JSON"):
        read_export(wrong)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * 3_000_000)
    with pytest.raises(HistoryError, match="unreasonable"):
        read_export(bomb)
    with pytest.raises(HistoryError, match="no file"):
        read_export(tmp_path / "missing.json")


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(_row())), _json_values) | _json_values, max_size=6))
def test_mangled_rows_never_crash_and_good_ones_survive(tmp_path_factory, rows):
    path = _write(tmp_path_factory.mktemp("h") / "h.json", [*rows, _row()])
    export = read_export(path)
    assert any(listen.artist == "Artist" for listen in export.listens)


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
            read_export(path)
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
        read_export(path)
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
        ArtistPlays("Nujabes", (), 40, SPOTIFY), ArtistPlays("Nobody We Know", (), 7, SPOTIFY),
        ArtistPlays("Someone", ("melodic deep house", "wonky genre"), 5, LISTENBRAINZ),
    ))  # fmt: skip
    assert sum(heard.styles.values()) == pytest.approx(1.0)
    assert max(heard.styles, key=heard.styles.get) == "lofi"
    assert heard.styles["house"] > 0
    assert heard.top_artists["lofi"] == ("Nujabes",)
    assert set(heard.unknown) == {"Nobody We Know", "wonky genre"}
    assert (heard.placed_plays, heard.all_plays) == (45, 52)
