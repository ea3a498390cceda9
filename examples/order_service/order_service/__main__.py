"""`python -m order_service`: serve on `PORT` (8000), on `MINK_STORE_URL` or a PostgreSQL started for it."""

import os

import uvicorn

from order_service.app import create_app

uvicorn.run(
    create_app(os.environ.get("MINK_STORE_URL", "postgresql+embedded://")), port=int(os.environ.get("PORT", "8000"))
)
