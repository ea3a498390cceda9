"""Fields of events encrypted with a key per person, so that deleting the key erases the person everywhere.

    from mink_core.encryption import EncryptedFields, MemorySubjectKeys

    sealed = EncryptedFields(
        MemorySubjectKeys(),  # in production, a table of keys that is backed up apart from the events
        fields={"CustomerJoined": ["name", ("address", "street")]},
        subject=lambda stream_id, event: stream_id,
    )
    store = open_store(url, transforms=[sealed])

Needs the extra `encryption`, or a cipher of the caller's.
"""

from mink_core.encryption.cipher import Cipher
from mink_core.encryption.fields import EncryptedFields
from mink_core.encryption.keys import CachedSubjectKeys, MemorySubjectKeys, SubjectKeys

__all__ = ["CachedSubjectKeys", "Cipher", "EncryptedFields", "MemorySubjectKeys", "SubjectKeys"]
