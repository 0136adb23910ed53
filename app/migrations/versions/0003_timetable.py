"""timetable

Revision ID: 0003
Revises: 0002
"""

import secrets
import unicodedata
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # since when what was there already is called what it is


def upgrade() -> None:
    op.create_table('target_groups',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('name')
    )
    op.create_table('organisation_past',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('org_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('tier', sa.String(length=60), nullable=False),
    sa.Column('parent_id', sa.String(length=40), nullable=True),
    sa.Column('from_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], ),
    sa.ForeignKeyConstraint(['parent_id'], ['organisations.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('organisation_past', schema=None) as batch_op:
        batch_op.create_index('ix_organisation_past_org_id_from_at', ['org_id', 'from_at'], unique=False)

    op.create_table('availabilities',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('user_id', sa.String(length=40), nullable=False),
    sa.Column('weekday', sa.Integer(), nullable=False),
    sa.Column('starts_min', sa.Integer(), nullable=False),
    sa.Column('ends_min', sa.Integer(), nullable=False),
    sa.Column('zone', sa.String(length=60), nullable=False),
    sa.CheckConstraint('starts_min < ends_min', name='ck_availabilities_order'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('availabilities', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_availabilities_user_id'), ['user_id'], unique=False)

    op.create_table('blocks',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('resource_id', sa.String(length=40), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('made_by', sa.String(length=40), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['made_by'], ['users.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('blocks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_blocks_resource_id'), ['resource_id'], unique=False)

    op.create_table('halls',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('point_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('capacity', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['point_id'], ['bridge_points.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('point_id', 'name')
    )
    op.create_table('lecturer_profiles',
    sa.Column('user_id', sa.String(length=40), nullable=False),
    sa.Column('employment', sa.String(length=10), nullable=False),
    sa.Column('qualification', sa.Text(), nullable=False),
    sa.Column('hours_max', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ),
    sa.PrimaryKeyConstraint('user_id')
    )
    op.create_table('quotas',
    sa.Column('course_id', sa.String(length=40), nullable=False),
    sa.Column('org_id', sa.String(length=40), nullable=False),
    sa.Column('seats', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], ),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], ),
    sa.PrimaryKeyConstraint('course_id', 'org_id')
    )
    op.create_table('series',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('rule', sa.JSON(), nullable=False),
    sa.Column('uid', sa.String(length=120), nullable=False),
    sa.Column('zone', sa.String(length=60), nullable=False),
    sa.Column('made_by', sa.String(length=40), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['made_by'], ['users.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('uid')
    )
    op.create_table('subscriptions',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('resource_id', sa.String(length=40), nullable=False),
    sa.Column('url', sa.Text(), nullable=True),
    sa.Column('made_by', sa.String(length=40), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('etag', sa.String(length=200), nullable=False),
    sa.Column('tried_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['made_by'], ['users.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('subscriptions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_subscriptions_resource_id'), ['resource_id'], unique=False)

    op.create_table('busy_times',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('subscription_id', sa.String(length=40), nullable=False),
    sa.Column('resource_id', sa.String(length=40), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('summary', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('busy_times', schema=None) as batch_op:
        batch_op.create_index('ix_busy_times_resource_id_starts_at', ['resource_id', 'starts_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_busy_times_subscription_id'), ['subscription_id'], unique=False)

    op.create_table('lecturer_topics',
    sa.Column('user_id', sa.String(length=40), nullable=False),
    sa.Column('topic_id', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['topic_id'], ['topics.id'], ),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ),
    sa.PrimaryKeyConstraint('user_id', 'topic_id')
    )
    with op.batch_alter_table('lecturer_topics', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lecturer_topics_topic_id'), ['topic_id'], unique=False)

    op.create_table('year_items',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('org_id', sa.String(length=40), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('course_id', sa.String(length=40), nullable=True),
    sa.Column('topic_id', sa.String(length=40), nullable=True),
    sa.Column('opens_on', sa.Date(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('lectures', sa.Integer(), nullable=False),
    sa.Column('people', sa.Integer(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], ),
    sa.ForeignKeyConstraint(['org_id'], ['organisations.id'], ),
    sa.ForeignKeyConstraint(['topic_id'], ['topics.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('year_items', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_year_items_course_id'), ['course_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_year_items_org_id'), ['org_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_year_items_year'), ['year'], unique=False)

    op.create_table('lesson_plans',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('lecture_id', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('approved_version', sa.Integer(), nullable=True),
    sa.Column('approved_digest', sa.String(length=64), nullable=True),
    sa.Column('approved_by', sa.String(length=40), nullable=True),
    sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['approved_by'], ['users.id'], ),
    sa.ForeignKeyConstraint(['lecture_id'], ['lectures.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('lecture_id')
    )
    op.create_table('letters',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('lecture_id', sa.String(length=40), nullable=False),
    sa.Column('address', sa.String(length=200), nullable=False),
    sa.Column('method', sa.String(length=10), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('message', sa.LargeBinary(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['lecture_id'], ['lectures.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('lecture_id', 'address', 'method', 'sequence')
    )
    with op.batch_alter_table('letters', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_letters_lecture_id'), ['lecture_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_letters_next_try_at'), ['next_try_at'], unique=False)

    op.create_table('waivers',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('lecture_id', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['by'], ['users.id'], ),
    sa.ForeignKeyConstraint(['lecture_id'], ['lectures.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('waivers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_waivers_lecture_id'), ['lecture_id'], unique=False)

    op.create_table('plan_files',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('plan_id', sa.String(length=40), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('pdf_sha256', sa.String(length=64), nullable=True),
    sa.Column('pages', sa.Integer(), nullable=True),
    sa.Column('problem', sa.String(length=200), nullable=False),
    sa.Column('added_by', sa.String(length=40), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['added_by'], ['users.id'], ),
    sa.ForeignKeyConstraint(['plan_id'], ['lesson_plans.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('plan_id', 'version', 'position')
    )
    with op.batch_alter_table('plan_files', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_plan_files_plan_id'), ['plan_id'], unique=False)

    op.create_table('plan_steps',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('plan_id', sa.String(length=40), nullable=False),
    sa.Column('action', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('by', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['by'], ['users.id'], ),
    sa.ForeignKeyConstraint(['plan_id'], ['lesson_plans.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('plan_steps', schema=None) as batch_op:
        batch_op.create_index('ix_plan_steps_plan_id_at', ['plan_id', 'at'], unique=False)

    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.add_column(sa.Column('block_id', sa.String(length=40), nullable=True))
        batch_op.create_check_constraint('ck_bookings_one_holder', '(lecture_id IS NULL) <> (block_id IS NULL)')
        batch_op.alter_column('lecture_id',
               existing_type=sa.VARCHAR(length=40),
               nullable=True)
        batch_op.create_index(batch_op.f('ix_bookings_block_id'), ['block_id'], unique=False)
        batch_op.create_foreign_key('fk_bookings_block_id', 'blocks', ['block_id'], ['id'])

    with op.batch_alter_table('bridge_points', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column('zone', sa.String(length=60), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('contact_name', sa.String(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('contact_phone', sa.String(length=40), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('contact_email', sa.String(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_unique_constraint('uq_bridge_points_code', ['code'])

    with op.batch_alter_table('courses', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column('target_group_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('rules', sa.Text(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('rules_version', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('calendar_key', sa.String(length=40), nullable=False, server_default=''))
        batch_op.create_index(batch_op.f('ix_courses_target_group_id'), ['target_group_id'], unique=False)
        batch_op.create_unique_constraint('uq_courses_code', ['code'])
        batch_op.create_foreign_key('fk_courses_target_group_id', 'target_groups', ['target_group_id'], ['id'])

    with op.batch_alter_table('enrolments', schema=None) as batch_op:
        batch_op.add_column(sa.Column('point_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('org_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('enrolled_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('rules_accepted_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('rules_version', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_enrolments_org_id'), ['org_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_enrolments_point_id'), ['point_id'], unique=False)
        batch_op.create_foreign_key('fk_enrolments_point_id', 'bridge_points', ['point_id'], ['id'])
        batch_op.create_foreign_key('fk_enrolments_org_id', 'organisations', ['org_id'], ['id'])

    with op.batch_alter_table('equipment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column('note', sa.Text(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_unique_constraint('uq_equipment_code', ['code'])

    with op.batch_alter_table('lecture_points', schema=None) as batch_op:
        batch_op.add_column(sa.Column('equipment_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('operator_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('released_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key('fk_lecture_points_equipment_id', 'equipment', ['equipment_id'], ['id'])
        batch_op.create_foreign_key('fk_lecture_points_operator_id', 'users', ['operator_id'], ['id'])

    with op.batch_alter_table('lectures', schema=None) as batch_op:
        batch_op.add_column(sa.Column('series_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('recurrence_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('setup_min', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('teardown_min', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('cancelled_because', sa.String(length=200), nullable=False, server_default=''))
        batch_op.create_index(batch_op.f('ix_lectures_series_id'), ['series_id'], unique=False)
        batch_op.create_foreign_key('fk_lectures_series_id', 'series', ['series_id'], ['id'])

    with op.batch_alter_table('organisations', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column('tier', sa.String(length=60), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('abolished_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('successor_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('calendar_key', sa.String(length=40), nullable=False, server_default=''))
        batch_op.create_unique_constraint('uq_organisations_code', ['code'])
        batch_op.create_foreign_key('fk_organisations_successor_id', 'organisations', ['successor_id'], ['id'])

    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.add_column(sa.Column('code', sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column('email', sa.String(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('phone', sa.String(length=40), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('position', sa.String(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('search_key', sa.String(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('left_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_users_search_key'), ['search_key'], unique=False)
        batch_op.create_unique_constraint('uq_users_code', ['code'])
    _keys_and_past()


def _keys_and_past() -> None:
    """Give what there is already the secrets, search words and past that new rows are made with."""
    connection = op.get_bind()
    for table in ('courses', 'organisations'):
        for (row_id,) in connection.execute(sa.text(f"SELECT id FROM {table}")).fetchall():
            key = {'key': secrets.token_urlsafe(18), 'id': row_id}
            connection.execute(sa.text(f"UPDATE {table} SET calendar_key = :key WHERE id = :id"), key)
    for row_id, name in connection.execute(sa.text("SELECT id, name FROM users")).fetchall():
        key = {'key': search_key(name), 'id': row_id}
        connection.execute(sa.text("UPDATE users SET search_key = :key WHERE id = :id"), key)
    past = sa.table('organisation_past', *(sa.column(c) for c in ('id', 'org_id', 'name', 'tier', 'parent_id')),
                    sa.column('from_at', sa.DateTime(timezone=True)))
    for row_id, name, parent in connection.execute(sa.text("SELECT id, name, parent_id FROM organisations")).fetchall():
        connection.execute(past.insert().values(
            id='pst_' + row_id.partition('_')[2], org_id=row_id, name=name, tier='', parent_id=parent, from_at=BEGINNING
        ))


def search_key(name: str) -> str:
    """Return a name without marks, in lower case, as `schedules.names` did when this was written."""
    marks = unicodedata.normalize('NFD', name.casefold().replace('đ', 'd'))
    return ' '.join(''.join(c for c in marks if not unicodedata.combining(c)).split())


def downgrade() -> None:
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.drop_constraint('uq_users_code', type_='unique')
        batch_op.drop_index(batch_op.f('ix_users_search_key'))
        batch_op.drop_column('left_at')
        batch_op.drop_column('search_key')
        batch_op.drop_column('position')
        batch_op.drop_column('phone')
        batch_op.drop_column('email')
        batch_op.drop_column('code')

    with op.batch_alter_table('organisations', schema=None) as batch_op:
        batch_op.drop_constraint('fk_organisations_successor_id', type_='foreignkey')
        batch_op.drop_constraint('uq_organisations_code', type_='unique')
        batch_op.drop_column('calendar_key')
        batch_op.drop_column('successor_id')
        batch_op.drop_column('abolished_at')
        batch_op.drop_column('tier')
        batch_op.drop_column('code')

    with op.batch_alter_table('lectures', schema=None) as batch_op:
        batch_op.drop_constraint('fk_lectures_series_id', type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_lectures_series_id'))
        batch_op.drop_column('cancelled_because')
        batch_op.drop_column('teardown_min')
        batch_op.drop_column('setup_min')
        batch_op.drop_column('recurrence_at')
        batch_op.drop_column('series_id')

    with op.batch_alter_table('lecture_points', schema=None) as batch_op:
        batch_op.drop_constraint('fk_lecture_points_operator_id', type_='foreignkey')
        batch_op.drop_constraint('fk_lecture_points_equipment_id', type_='foreignkey')
        batch_op.drop_column('released_at')
        batch_op.drop_column('operator_id')
        batch_op.drop_column('equipment_id')

    with op.batch_alter_table('equipment', schema=None) as batch_op:
        batch_op.drop_constraint('uq_equipment_code', type_='unique')
        batch_op.drop_column('retired_at')
        batch_op.drop_column('note')
        batch_op.drop_column('code')

    with op.batch_alter_table('enrolments', schema=None) as batch_op:
        batch_op.drop_constraint('fk_enrolments_org_id', type_='foreignkey')
        batch_op.drop_constraint('fk_enrolments_point_id', type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_enrolments_point_id'))
        batch_op.drop_index(batch_op.f('ix_enrolments_org_id'))
        batch_op.drop_column('rules_version')
        batch_op.drop_column('rules_accepted_at')
        batch_op.drop_column('enrolled_at')
        batch_op.drop_column('org_id')
        batch_op.drop_column('point_id')

    with op.batch_alter_table('courses', schema=None) as batch_op:
        batch_op.drop_constraint('fk_courses_target_group_id', type_='foreignkey')
        batch_op.drop_constraint('uq_courses_code', type_='unique')
        batch_op.drop_index(batch_op.f('ix_courses_target_group_id'))
        batch_op.drop_column('calendar_key')
        batch_op.drop_column('rules_version')
        batch_op.drop_column('rules')
        batch_op.drop_column('target_group_id')
        batch_op.drop_column('code')

    with op.batch_alter_table('bridge_points', schema=None) as batch_op:
        batch_op.drop_constraint('uq_bridge_points_code', type_='unique')
        batch_op.drop_column('retired_at')
        batch_op.drop_column('contact_email')
        batch_op.drop_column('contact_phone')
        batch_op.drop_column('contact_name')
        batch_op.drop_column('zone')
        batch_op.drop_column('code')

    op.execute("DELETE FROM bookings WHERE lecture_id IS NULL")  # nothing was blocked by hand then
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.drop_constraint('ck_bookings_one_holder', type_='check')
        batch_op.drop_constraint('fk_bookings_block_id', type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_bookings_block_id'))
        batch_op.alter_column('lecture_id',
               existing_type=sa.VARCHAR(length=40),
               nullable=False)
        batch_op.drop_column('block_id')

    with op.batch_alter_table('plan_steps', schema=None) as batch_op:
        batch_op.drop_index('ix_plan_steps_plan_id_at')

    op.drop_table('plan_steps')
    with op.batch_alter_table('plan_files', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_plan_files_plan_id'))

    op.drop_table('plan_files')
    with op.batch_alter_table('waivers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_waivers_lecture_id'))

    op.drop_table('waivers')
    with op.batch_alter_table('letters', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_letters_next_try_at'))
        batch_op.drop_index(batch_op.f('ix_letters_lecture_id'))

    op.drop_table('letters')
    op.drop_table('lesson_plans')
    with op.batch_alter_table('year_items', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_year_items_year'))
        batch_op.drop_index(batch_op.f('ix_year_items_org_id'))
        batch_op.drop_index(batch_op.f('ix_year_items_course_id'))

    op.drop_table('year_items')
    with op.batch_alter_table('lecturer_topics', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_lecturer_topics_topic_id'))

    op.drop_table('lecturer_topics')
    with op.batch_alter_table('busy_times', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_busy_times_subscription_id'))
        batch_op.drop_index('ix_busy_times_resource_id_starts_at')

    op.drop_table('busy_times')
    with op.batch_alter_table('subscriptions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_subscriptions_resource_id'))

    op.drop_table('subscriptions')
    op.drop_table('series')
    op.drop_table('quotas')
    op.drop_table('lecturer_profiles')
    op.drop_table('halls')
    with op.batch_alter_table('blocks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_blocks_resource_id'))

    op.drop_table('blocks')
    with op.batch_alter_table('availabilities', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_availabilities_user_id'))

    op.drop_table('availabilities')
    with op.batch_alter_table('organisation_past', schema=None) as batch_op:
        batch_op.drop_index('ix_organisation_past_org_id_from_at')

    op.drop_table('organisation_past')
    op.drop_table('target_groups')
