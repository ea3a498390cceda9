"""What encrypts a field: AES-SIV by the package `cryptography`, or what the caller brings."""

from __future__ import annotations

from typing import Protocol

from mink_core.errors import UsageError


class Cipher(Protocol):
    """Deterministic authenticated encryption.

    The same key, text and context must give the same bytes: a repeated append is recognized by its
    stored content (APPEND-09). A cipher that needs a nonce which is never used twice, such as AES-GCM, is
    no such cipher, as two contents may come under one event id; one that withstands it, such as AES-SIV or
    AES-GCM-SIV with a fixed nonce, is.
    """

    def new_key(self) -> bytes:
        """A random key."""
        ...

    def seal(self, key: bytes, text: bytes, context: bytes) -> bytes:
        """Encrypt, and bind the result to the context."""
        ...

    def unseal(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: The bytes were not sealed with this key in this context.
        """
        ...


def default_cipher() -> Cipher:
    """AES-SIV.

    Raises:
        UsageError: The package `cryptography` is not installed.
    """
    try:
        from mink_core.encryption.aes_siv import AesSiv  # noqa: PLC0415 -- an extra of its own
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        msg = (
            "encrypting fields needs 'cryptography', which is not installed: "
            "pip install 'mink-eventstore[encryption]', or give a cipher of your own"
        )
        raise UsageError(msg) from None
    return AesSiv()
