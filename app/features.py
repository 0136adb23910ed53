"""The pages of every feature, and which services they find in the application's extensions."""

from flask import Blueprint

SERVICES = (
    "config",
    "clock",
    "bus",
    "db",
    "schedules",
    "registry",
    "rosters",
    "uploads",
    "plans",
    "years",
    "subscriptions",
    "rooms",
    "attendance",
    "replays",
)


def blueprints() -> list[Blueprint]:
    """Return every feature's pages, each blueprint once."""
    from attendance.views import bp as attendance
    from replays.views import bp as replays
    from schedules.board.views import bp as schedules
    from schedules.calendars.views import bp as calendars
    from schedules.lectures.views import bp as lectures  # the schedules' own, with more pages
    from schedules.plans.views import bp as plans
    from schedules.registry.blocks.views import bp as blocks
    from schedules.registry.imports.views import bp as imports
    from schedules.registry.views import bp as registry
    from schedules.rosters.views import bp as rosters

    pages = (schedules, lectures, calendars, registry, blocks, imports, rosters, plans, attendance, replays)
    return list(dict.fromkeys(pages))
