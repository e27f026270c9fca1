"""Lines and heads, and triggers that refuse to change or remove a line.

The triggers stop accidents and careless tools; against someone who owns the database, the hashes are what tells.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "lines",
        sa.Column("incident", sa.String(200), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(500), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("incident", "key", name="one_line_for_a_key"),
    )
    op.create_index("ix_lines_kind", "lines", ["kind"])
    op.create_table(
        "heads",
        sa.Column("incident", sa.String(200), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def _refuse_on_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    op.execute(f"CREATE TRIGGER lines_keep BEFORE UPDATE ON lines {refuse}")
    op.execute(f"CREATE TRIGGER lines_stay BEFORE DELETE ON lines {refuse}")
    # INSERT OR REPLACE removes the row that stands in its way without asking the trigger on DELETE.
    taken = "SELECT 1 FROM lines WHERE incident = NEW.incident AND (position = NEW.position OR key = NEW.key)"
    op.execute(f"CREATE TRIGGER lines_are_not_replaced BEFORE INSERT ON lines WHEN EXISTS ({taken}) {refuse}")
    op.execute(f"CREATE TRIGGER heads_advance BEFORE UPDATE ON heads WHEN NEW.position <> OLD.position + 1 {refuse}")
    op.execute(f"CREATE TRIGGER heads_stay BEFORE DELETE ON heads {refuse}")


def _refuse_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
    )
    refuse = "EXECUTE FUNCTION refuse_change()"
    op.execute(f"CREATE TRIGGER lines_keep BEFORE UPDATE OR DELETE ON lines FOR EACH ROW {refuse}")
    op.execute(f"CREATE TRIGGER lines_stay BEFORE TRUNCATE ON lines FOR EACH STATEMENT {refuse}")
    op.execute(f"CREATE TRIGGER heads_advance BEFORE UPDATE ON heads FOR EACH ROW WHEN (NEW.position <> OLD.position + 1) {refuse}")
    op.execute(f"CREATE TRIGGER heads_stay BEFORE DELETE ON heads FOR EACH ROW {refuse}")
    op.execute(f"CREATE TRIGGER heads_are_not_emptied BEFORE TRUNCATE ON heads FOR EACH STATEMENT {refuse}")


def downgrade() -> None:
    raise RuntimeError("a ledger is never taken back; restore a backup instead")
