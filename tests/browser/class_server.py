"""The whole product with a class that is live: `python -m tests.browser.class_server`.

The media node is the stand-in unless TEST_NODE names the real one; TEST_FLOOR is the place of the point that
has the floor, in the list of them, none unless it is given.  Takes DATA_DIR and PORT from the environment; says on standard
output, as one JSON line, what there is.
"""

import json
import logging
import os
import sys

from app import create_app
from app.catalogue import compile_if_stale
from app.node_pool import NodePool
from app.tables import metadata
from core.config import from_environment
from tests.builders import make_school


def main() -> None:
    compile_if_stale()
    config = from_environment()
    pool = NodePool(config, (sys.executable, "-m", os.environ.get("TEST_NODE", "tests.fake_node")))
    app = create_app(config, node=pool)
    services, wiring = app.extensions["services"], app.extensions["wiring"]
    metadata().create_all(services.db.engine)
    school = make_school(services.schedules)
    lecture = school.lecture(services.clock.now())
    points = [school.main.id, school.a.id, school.b.id]
    services.rooms.open(lecture.id, school.lecturer.id, school.main.id, points)
    for point in points:
        services.rooms.join(lecture.id, point, "point", f"connection of {point}")
    services.rooms.join(lecture.id, school.lecturer.id, "lecturer", "connection of the lecturer")
    services.rooms.start(lecture.id, school.lecturer.id, "lecturer")
    if floor := os.environ.get("TEST_FLOOR"):
        services.rooms.grant_floor(lecture.id, school.lecturer.id, "lecturer", points[int(floor)])
    _, device = school.paired_device(school.a.id)
    print(json.dumps({"lecture": lecture.id, "device": device, "points": points}), flush=True)
    pool.start()
    wiring.start()
    try:
        wiring.socketio.run(app, host="127.0.0.1", port=config.port, allow_unsafe_werkzeug=True)
    finally:
        wiring.stop()
        pool.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main()
