"""organisations of lectures

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What has been until now has no other witness than to whom points and lecturers belong today."""
    with op.batch_alter_table('lecture_points', schema=None) as batch_op:
        batch_op.add_column(sa.Column('org_id', sa.String(length=40), nullable=True))
    with op.batch_alter_table('lectures', schema=None) as batch_op:
        batch_op.add_column(sa.Column('lecturer_org_id', sa.String(length=40), nullable=True))
    op.execute(
        "UPDATE lecture_points SET org_id = "
        "(SELECT bridge_points.org_id FROM bridge_points WHERE bridge_points.id = lecture_points.point_id)"
    )
    op.execute(
        "UPDATE lectures SET lecturer_org_id = "
        "(SELECT users.org_id FROM users WHERE users.id = lectures.lecturer_id)"
    )
    with op.batch_alter_table('lecture_points', schema=None) as batch_op:
        batch_op.alter_column('org_id', existing_type=sa.String(length=40), nullable=False)
        batch_op.create_index(batch_op.f('ix_lecture_points_org_id'), ['org_id'], unique=False)
        batch_op.create_foreign_key('fk_lecture_points_org_id', 'organisations', ['org_id'], ['id'])
    with op.batch_alter_table('lectures', schema=None) as batch_op:
        batch_op.alter_column('lecturer_org_id', existing_type=sa.String(length=40), nullable=False)
        batch_op.create_index(batch_op.f('ix_lectures_lecturer_org_id'), ['lecturer_org_id'], unique=False)
        batch_op.create_foreign_key('fk_lectures_lecturer_org_id', 'organisations', ['lecturer_org_id'], ['id'])


def downgrade() -> None:
    with op.batch_alter_table('lectures', schema=None) as batch_op:
        batch_op.drop_constraint('fk_lectures_lecturer_org_id', type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_lectures_lecturer_org_id'))
        batch_op.drop_column('lecturer_org_id')
    with op.batch_alter_table('lecture_points', schema=None) as batch_op:
        batch_op.drop_constraint('fk_lecture_points_org_id', type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_lecture_points_org_id'))
        batch_op.drop_column('org_id')
