"""How the programs here tell of defects: by kind and place, never by message, which may quote a record (P13)."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path


def kind_and_place(error: BaseException) -> str:
    """``OperationalError at bulk.py:193``."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return f"{type(error).__name__} at {place}"


def log_to_stderr() -> None:
    """Afterwards our own lines are printed with their moment; what libraries say below a warning is not."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("serai").setLevel(logging.INFO)
    # It prints whole tracebacks with their messages; the programs here have told kind and place before.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
