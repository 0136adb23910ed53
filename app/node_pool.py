# SPDX-License-Identifier: Apache-2.0
"""The media nodes of this machine: one supervisor each, so that one that dies takes no other with it.

Which room is on which node is not known here: `signaling.media_pool` asks the nodes themselves.
"""

import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from app.node import COMMAND, NAME, NodeSupervisor
from core.config import Config
from signaling.media_pool import MediaPool

LOCK = "media-rooms.lock"


class NodePool:
    """Keeps `MEDIA_PROCESSES` media nodes alive."""

    def __init__(self, config: Config, command: Sequence[str] = COMMAND) -> None:
        """Prepare; nothing is started before `start`.

        command: what starts a node; its options are appended.
        """
        self._config, self._command = config, command
        self.nodes = [NodeSupervisor(config, command, number) for number in range(config.media_nodes)]

    @cached_property
    def media(self) -> MediaPool:
        """Return the way to the rooms on these nodes."""
        return MediaPool(self.nodes, self._config.data_dir / LOCK)

    def start(self) -> None:
        """Adopt each node that lives, start the others, watch all of them; returns at once."""
        for node in self.nodes:
            node.start()
        for number in self._left_over():
            retired = NodeSupervisor(self._config, self._command, number)
            threading.Thread(target=retired.retire, name=f"retire-node-{number}", daemon=True).start()

    def stop(self, *, leave_node: bool = False) -> None:
        """Stop all of them at the same time, since each may have recordings to finish; see `NodeSupervisor.stop`."""
        stopping = [
            threading.Thread(target=node.stop, kwargs={"leave_node": leave_node}, name=f"stop-node-{node.number}")
            for node in self.nodes
        ]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()

    def ready(self) -> bool:
        """Return whether a class could be held: at least one node answered within the last seconds."""
        return any(node.ready() for node in self.nodes)

    def _left_over(self) -> list[int]:
        """Return the numbers of nodes that were started when MEDIA_PROCESSES was larger."""
        pattern = re.compile(rf"{re.escape(NAME)}-(\d+)\.json")
        found = (pattern.fullmatch(path.name) for path in Path(self._config.data_dir).glob(f"{NAME}-*.json"))
        return sorted(number for match in found if match and (number := int(match[1])) >= len(self.nodes))
