"""Servers that adapters start for tests, demonstrations and a first look: what their launchers have in common."""

from mink_core.servers.errors import ServerUnavailableError
from mink_core.servers.watched import Watched

__all__ = ["ServerUnavailableError", "Watched"]
