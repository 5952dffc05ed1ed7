"""Content Credentials, with a chain of certificates made here and read back by the C2PA reader."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
import torch
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from generator.errors import EncodeError
from generator.produce.encode import decode
from generator.produce.formats import encode_as
from generator.produce.provenance import DIGITAL_SOURCE_TYPE
from generator.produce.signing import SIGNED, Signer, sign
from generator.produce.tags import Tags
from generator.render.timing import SAMPLE_RATE

SOUND = 0.3 * torch.sin(2 * torch.pi * 330 * torch.arange(SAMPLE_RATE) / SAMPLE_RATE).expand(2, -1)


def name(text):
    names = ((NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Small Label"))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in names])


def certificate(subject, issuer, key, issuer_key, *, authority):
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject)).issuer_name(name(issuer))
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )  # fmt: skip
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = [
        certificate("Small Label", "Root", own, root, authority=False),
        certificate("Root", "Root", root, root, authority=True),
    ]
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
    for key, file in ((own, "key.pem"), (root, "other.pem")):
        (folder / file).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return Signer(folder / "chain.pem", folder / "key.pem")


def track(folder, kind):
    path = folder / f"track.{kind}"
    encode_as(kind, SOUND, path, Tags("Signed", "Pop", "AI-generated.", provenance='{"seed":7}'))
    return path


@pytest.mark.parametrize("kind", sorted(SIGNED))
def test_a_signed_file_says_who_made_it_and_sounds_the_same(tmp_path, signer, kind):
    c2pa = pytest.importorskip("c2pa")
    path = track(tmp_path, kind)
    before, _ = decode(path)
    sign(path, "Signed", signer)
    with c2pa.Reader(path) as reader:
        store = json.loads(reader.json())
    manifest = store["manifests"][store["active_manifest"]]
    assert manifest["title"] == "Signed"
    assert DIGITAL_SOURCE_TYPE in json.dumps(manifest["assertions"])
    assert manifest["signature_info"]["issuer"] == "Small Label"
    # Nobody's list of trust names our own root; nothing else may be wrong.
    found = {status["code"] for status in store.get("validation_status", [])}
    assert found <= {"signingCredential.untrusted"}
    assert torch.equal(decode(path)[0], before)


def test_a_changed_file_is_found_out(tmp_path, signer):
    c2pa = pytest.importorskip("c2pa")
    path = track(tmp_path, "wav")
    sign(path, "Signed", signer)
    data = bytearray(path.read_bytes())
    data[data.index(b"data") + 5000] ^= 0x40
    path.write_bytes(data)
    with c2pa.Reader(path) as reader:
        codes = {status["code"] for status in json.loads(reader.json())["validation_status"]}
    assert "assertion.dataHash.mismatch" in codes


def test_what_cannot_sign_is_a_sentence_and_leaves_the_file(tmp_path, signer, monkeypatch):
    path = track(tmp_path, "mp3")
    before = path.read_bytes()
    pytest.importorskip("c2pa")
    (tmp_path / "words.pem").write_text("no key")
    wrong = {
        "is not that of": Signer(signer.certificate, signer.key.with_name("other.pem")),
        "no PEM": Signer(signer.certificate, tmp_path / "words.pem"),
        "cannot be read": Signer(tmp_path / "none.pem", signer.key),
    }
    for sentence, bad in wrong.items():
        with pytest.raises(EncodeError, match=sentence):
            sign(path, "Signed", bad)
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(EncodeError, match="c2pa-python"):
        sign(path, "Signed", signer)
    assert path.read_bytes() == before
