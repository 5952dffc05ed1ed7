"""Sealing small secrets at rest with Fernet, bound to their owner.

The key file holds one Fernet key per line, newest first: the first seals, any opens. A lost key means the
sealed values are lost, nothing else.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.errors import StoreError


class Seal:
    """Seals text for an owner; what was sealed for one owner does not open for another."""

    def __init__(self, keys: MultiFernet) -> None:
        self._keys = keys

    @staticmethod
    def load(path: Path) -> Seal:
        """Read the key file, creating it (mode 0600) on first use.

        Raises StoreError when it cannot be read, written or understood.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _create(path)
            lines = path.read_text("ascii").split()
            return Seal(MultiFernet([Fernet(line) for line in lines]))
        except (OSError, ValueError) as error:
            raise StoreError(f"The key file {path} cannot be used: {error}.") from error

    def close(self, owner: str, text: str) -> str:
        return self._keys.encrypt(json.dumps([owner, text]).encode()).decode("ascii")

    def rotate(self, sealed: str) -> str:
        """The same value sealed with the newest key. Raises StoreError when no key opens it."""
        try:
            return self._keys.rotate(sealed.encode("ascii")).decode("ascii")
        except InvalidToken as error:
            raise StoreError("A sealed value does not open with the keys in the key file.") from error

    def open(self, owner: str, sealed: str) -> str:
        """Raises StoreError when the key is gone or the value belongs to somebody else."""
        try:
            found, text = json.loads(self._keys.decrypt(sealed.encode("ascii")))
        except InvalidToken as error:
            raise StoreError("A sealed value does not open with the keys in the key file.") from error
        if found != owner:
            raise StoreError("A sealed value belongs to another owner.")
        return str(text)


def add_key(path: Path) -> Seal:
    """Put a new key before those of the key file; from now on it seals. Raises StoreError."""
    Seal.load(path)
    return _rewrite(path, [Fernet.generate_key(), *path.read_bytes().split()])


def drop_old_keys(path: Path) -> Seal:
    """Keep the newest key alone; what older ones sealed is lost. Raises StoreError."""
    Seal.load(path)
    return _rewrite(path, path.read_bytes().split()[:1])


def _rewrite(path: Path, keys: list[bytes]) -> Seal:
    try:
        _draft(path, keys).replace(path)
    except OSError as error:
        raise StoreError(f"The key file {path} cannot be written: {error}.") from error
    return Seal.load(path)


def _draft(path: Path, keys: list[bytes]) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(key + b"\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return draft


def _create(path: Path) -> None:
    # Written aside and linked into place, so that two first starts at once agree on one key.
    draft = _draft(path, [Fernet.generate_key()])
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
