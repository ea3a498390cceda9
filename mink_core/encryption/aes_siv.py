"""AES-SIV (RFC 5297) by the package `cryptography`. Needs the extra `encryption`."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BITS = 512
"""Of two AES-256 keys, one to authenticate and one to encrypt."""


class AesSiv:
    """A `Cipher` that needs no nonce: equal text in equal context gives equal bytes, and nothing else is told."""

    def new_key(self) -> bytes:
        """64 random bytes."""
        return AESSIV.generate_key(KEY_BITS)

    def seal(self, key: bytes, text: bytes, context: bytes) -> bytes:
        """Encrypt. The result is 16 bytes longer than the text."""
        return AESSIV(key).encrypt(text, [context])

    def unseal(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: The bytes were not sealed with this key in this context.
        """
        try:
            return AESSIV(key).decrypt(sealed, [context])
        except InvalidTag:
            msg = "not sealed with this key in this context"
            raise ValueError(msg) from None
