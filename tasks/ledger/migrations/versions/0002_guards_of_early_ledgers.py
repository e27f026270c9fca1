"""The guards that the first ledgers lack: INSERT OR REPLACE, TRUNCATE and a head that is turned back passed by theirs.

Every guard is made anew, so that a ledger has the same ones whenever it was made. No line and no head is touched.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_GUARDS = {
    "lines": ("refuse_update", "refuse_delete", "refuse_change", "lines_keep", "lines_stay", "lines_are_not_replaced"),
    "heads": ("heads_advance", "heads_stay", "heads_are_not_emptied"),
}
"""By table, under every name that a release gave them."""


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table, names in _GUARDS.items():
        for name in names:
            op.execute(f"DROP TRIGGER IF EXISTS {name}{f' ON {table}' if on_postgresql else ''}")
    if on_postgresql:
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
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
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
