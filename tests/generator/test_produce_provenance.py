"""The machine-readable record of where a piece comes from."""

from __future__ import annotations

import hashlib
import json

from generator.brief import Brief
from generator.produce.provenance import comment, compact, provenance
from tests.generator.making_audio import brief


def test_it_names_the_seed_the_weights_the_corpora_and_that_an_ai_made_it(tmp_path):
    (tmp_path / "track.mp3").write_bytes(b"sound")
    card = {"sha256": "ab" * 32, "version": 1, "corpora": [{"name": "Tunes", "licence": "CC0-1.0"}]}
    record = provenance(brief(), "t1", card, {"mp3": "track.mp3", "stems": ["stems/a.flac"]}, folder=tmp_path)
    record = json.loads(json.dumps(record))
    assert record["ai_generated"] is True
    assert record["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert record["weights"] == {"sha256": "ab" * 32, "version": 1}
    assert record["corpora"][0]["licence"] == "CC0-1.0"
    assert Brief.from_dict(record["brief"]) == brief()
    assert record["files"]["mp3"]["sha256"] == hashlib.sha256(b"sound").hexdigest()
    assert record["files"]["stems"] == [{"name": "stems/a.flac"}]
    assert record["generator"]["torch"]
    assert "artificial intelligence" in comment(7)
    assert "7" in comment(7)


def test_what_travels_inside_the_file_is_one_line_that_says_the_same():
    card = {"sha256": "ab" * 32, "corpora": [{"data_set": "tunes", "licence": "CC0-1.0", "pieces": 9}]}
    line = compact(brief(), card, {"nearest": "tunes/12", "passed": True})
    inside = json.loads(line)
    assert "\n" not in line
    assert inside["digital_source_type"] == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert inside["generator"].startswith("tunesmith ")
    assert inside["weights_sha256"] == "ab" * 32
    assert inside["corpora"] == [{"data_set": "tunes", "licence": "CC0-1.0"}]
    assert inside["nearest"] == "tunes/12"
    assert Brief.from_dict(inside["brief"]) == brief()
    assert compact(brief(), card, {"nearest": "tunes/12", "passed": True}) == line
    assert json.loads(compact(brief(), {}, None))["nearest"] is None
