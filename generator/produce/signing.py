"""Content Credentials (C2PA): a signed statement inside a file that a trained model made it.

Only where an operator has a certificate; c2pa-python, an optional extra, is loaded when a file is signed. MP3, FLAC
and WAV can hold a manifest, Ogg cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from generator.errors import EncodeError
from generator.produce.files import whole_file
from generator.produce.provenance import AI_NOTICE, DIGITAL_SOURCE_TYPE

SIGNED = {"mp3": "audio/mpeg", "flac": "audio/flac", "wav": "audio/wav"}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """PEM files: the certificate with its chain, the signing one first, and its private key."""

    certificate: Path
    key: Path


def sign(path: Path, title: str, signer: Signer) -> None:
    """Write a manifest into an audio file whose suffix is one of SIGNED.

    Raises EncodeError when c2pa-python is missing, or key and certificate cannot sign; the file is then as it was.
    """
    try:
        import c2pa  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise EncodeError("Signing needs the package c2pa-python; install tunesmith with its extra “c2pa”.") from error
    chain, key = _read(signer.certificate), _read(signer.key)
    info = c2pa.C2paSignerInfo(_algorithm(chain, key, signer), chain, key, None)
    manifest = _manifest(title, SIGNED[path.suffix[1:]])
    try:
        with c2pa.Signer.from_info(info) as own, c2pa.Builder(manifest) as builder, whole_file(path) as place:
            builder.sign_file(path, place, own)
    except c2pa.C2paError as error:
        raise EncodeError(f"{path.name} could not be signed with {signer.certificate.name}: {error}.") from error


def _manifest(title: str, media_type: str) -> dict[str, Any]:
    made = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE, "description": AI_NOTICE}
    return {
        "claim_generator_info": [{"name": "Tunesmith"}],
        "title": title,
        "format": media_type,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [made]}}],
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncodeError(f"The signing file {path} cannot be read: {error.strerror}.") from error


def _algorithm(chain: bytes, key: bytes, signer: Signer) -> str:
    """The signature algorithm of a key, after checking that it belongs to the certificate."""
    try:
        own, leaf = load_pem_private_key(key, None), x509.load_pem_x509_certificates(chain)[0]
    except (TypeError, ValueError) as error:
        raise EncodeError(f"{signer.certificate.name} and {signer.key.name} are no PEM certificate and key.") from error
    if own.public_key() != leaf.public_key():
        raise EncodeError(f"The key {signer.key.name} is not that of the certificate {signer.certificate.name}.")
    if isinstance(own, ec.EllipticCurvePrivateKey) and own.curve.name in _CURVES:
        return _CURVES[own.curve.name]
    return "ed25519" if isinstance(own, ed25519.Ed25519PrivateKey) else "ps256"
