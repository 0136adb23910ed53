"""Every table of the product, in one metadata: for migrations and for tests."""

import importlib
import importlib.util

from sqlalchemy import MetaData

import core.journal  # noqa: F401  its table
from core.db import Base

FEATURES = ("schedules", "schedules.calendars", "schedules.plans", "rooms", "attendance", "replays")


def metadata() -> MetaData:
    """Return the metadata with every feature's tables in it."""
    for feature in FEATURES:
        if importlib.util.find_spec(f"{feature}.models"):
            importlib.import_module(f"{feature}.models")
    return Base.metadata
