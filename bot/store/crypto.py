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

    def open(self, owner: str, sealed: str) -> str:
        """Raises StoreError when the key is gone or the value belongs to somebody else."""
        try:
            found, text = json.loads(self._keys.decrypt(sealed.encode("ascii")))
        except InvalidToken as error:
            raise StoreError("A sealed value does not open with the keys in the key file.") from error
        if found != owner:
            raise StoreError("A sealed value belongs to another owner.")
        return str(text)


def _create(path: Path) -> None:
    # Written aside and linked into place, so that two first starts at once agree on one key.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
