"""Logs: one line per fact, `key=value` for people at a terminal, JSON when LOG_FORMAT=json says so."""

import logging
import sys

import structlog


def init_logs(form: str = "console") -> None:
    """Send everything logged to stderr.

    form: "json" for a collector, anything else for a person.
    """
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    else:
        shared.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("werkzeug", "geventwebsocket", "urllib3", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
