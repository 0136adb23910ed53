"""Alembic's entry: migrates the database whose connection `app.schema` hands over."""

from alembic import context

from app.tables import metadata
from core.db import UtcDateTime


def render_item(kind, item, autogen_context):
    """Write our own column type as what it is in the database, so that old migrations need none of our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata(),
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite cannot alter a column in place
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
