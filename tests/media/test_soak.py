"""A short soak: joins, leaves, floors and recordings leave no file, leg, room or traceback behind.

Memory is judged by `make soak` alone: ten minutes are needed to tell growth from pools that still fill.
"""

import asyncio
from pathlib import Path

from tests.media.soak import faults, soak


def test_a_class_of_comings_and_goings_leaves_nothing_behind(tmp_path: Path) -> None:
    found = asyncio.run(soak(tmp_path, warm_s=4.0, seconds=10.0))
    assert faults(found) == [], found
    assert found["joins"] >= 10 and found["floor_changes"] >= 3, found
