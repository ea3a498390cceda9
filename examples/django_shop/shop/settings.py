"""Settings. One URL names the database for Django and for Mink."""

import os
from urllib.parse import parse_qs, unquote, urlsplit


def database(url: str) -> dict[str, object]:
    """Django's settings for the database of a store's URL."""
    parts = urlsplit(url)
    options = parse_qs(parts.query).get("options")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": {"options": options[0]} if options else {},
    }


MINK_STORE_URL = os.environ.get("MINK_STORE_URL", "postgresql://localhost/app")
DATABASES = {"default": database(MINK_STORE_URL)}
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = os.environ.get("SECRET_KEY", "an example keeps no secrets")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
USE_TZ = True
