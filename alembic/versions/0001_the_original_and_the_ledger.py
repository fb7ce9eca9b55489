"""The original's three tables, the ledger of attempts, and the routines that decide."""

from __future__ import annotations

import sql
from alembic import op
from worker.db.migration import execute

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In the order in which they need each other.
ROUTINES = [
    "dialer_now",
    "dialer_setting",
    "dialer_instant",
    "dialer_offset",
    "dialer_zone_known",
    "dialer_local",
    "dialer_window_open",
    "dialer_window_next",
    "dialer_wake",
    "dialer_refuse",
    "dialer_rules",
    "dialer_fresh",
    "dialer_deferred",
    "dialer_project_states",
    "dialer_clients_check",
    "dialer_clients_before_insert",
    "dialer_clients_before_update",
    "dialer_clients_after_insert",
    "dialer_clients_after_update",
    "dialer_params_before_write",
    "dialer_params_after_write",
    "dialer_trunks_before_write",
    "dialer_trunks_after_write",
    "dialer_windows",
    "dialer_pick_text",
    "dialer_pick",
    "dialer_next",
    "dialer_project_until",
    "dialer_project_settle",
    "dialer_owns",
    "dialer_claims_free",
    "dialer_claim",
    "dialer_release",
    "dialer_project_start",
    "dialer_project_stop",
    "dialer_project_report",
    "dialer_project_count",
    "dialer_worker_start",
    "dialer_worker_beat",
    "dialer_worker_stop",
    "dialer_asterisk_own",
    "dialer_asterisk_report",
    "dialer_agents_write",
    "dialer_reap",
    "dialer_work",
    "dialer_open_attempts",
    "dialer_trunk_ensure",
    "dialer_trunk_room",
    "dialer_trunk_settle",
    "dialer_trunk_trip",
    "dialer_case_settle",
    "dialer_attempt_step",
    "dialer_attempt_begin",
    "dialer_attempt_advance",
    "dialer_attempt_finish",
    "dialer_why",
    "dialer_invariants",
    "dialer_warnings",
    "dialer_stat_attempt",
    "dialer_stat_hour",
    "dialer_stat_day",
    "dialer_stat_outcome",
    "dialer_stat_agent",
    "dialer_stat_project",
]

TRIGGERS = [
    """CREATE TRIGGER dialer_clients_before_insert BEFORE INSERT ON dialer_clients
       FOR EACH ROW EXECUTE FUNCTION dialer_clients_before_insert()""",
    # Not OF checked: a claim touches nothing else and pays nothing here.
    """CREATE TRIGGER dialer_clients_before_update BEFORE UPDATE OF case_name, project_id, phone_number, utc,
           used, call_back, allowed_start, allowed_stop, call_back_period, deferred_time, recall, recall_period
       ON dialer_clients FOR EACH ROW EXECUTE FUNCTION dialer_clients_before_update()""",
    """CREATE TRIGGER dialer_clients_after_insert AFTER INSERT ON dialer_clients
       REFERENCING NEW TABLE AS new_cases
       FOR EACH STATEMENT EXECUTE FUNCTION dialer_clients_after_insert()""",
    """CREATE TRIGGER dialer_clients_after_update AFTER UPDATE OF project_id, phone_number, utc, used,
           allowed_start, allowed_stop, deferred_time, deferred_done
       ON dialer_clients FOR EACH ROW
       WHEN (NOT NEW.used AND NOT NEW.checked AND NEW.last_attempt_id IS NOT DISTINCT FROM OLD.last_attempt_id)
       EXECUTE FUNCTION dialer_clients_after_update()""",
    """CREATE TRIGGER dialer_params_before_write BEFORE INSERT OR UPDATE ON dialer_params
       FOR EACH ROW EXECUTE FUNCTION dialer_params_before_write()""",
    """CREATE TRIGGER dialer_params_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_params
       FOR EACH ROW EXECUTE FUNCTION dialer_params_after_write()""",
    """CREATE TRIGGER dialer_trunks_before_write BEFORE INSERT OR UPDATE OF trunk, asterisk, dial_template,
           max_lines, calls_per_second ON dialer_trunks
       FOR EACH ROW EXECUTE FUNCTION dialer_trunks_before_write()""",
    """CREATE TRIGGER dialer_trunks_after_write AFTER INSERT OR UPDATE OF dial_template, max_lines,
           calls_per_second ON dialer_trunks
       FOR EACH ROW EXECUTE FUNCTION dialer_trunks_after_write()""",
]

SETTINGS = """
INSERT INTO dialer_settings (name, value, description) VALUES
    ('server_zone', CASE WHEN dialer_zone_known(current_setting('TimeZone'))
        THEN current_setting('TimeZone') ELSE 'UTC' END,
     'zone of cases that name none and whose project names none; taken from the server at installation'),
    ('virtual_clock', 'false',
     'true: claims and results go by the instants that the worker gives; for simulations only'),
    ('max_call_seconds', '14400', 'a call that nobody can ask for is over after this long')
"""


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in sql.schema_statements(dialect, revision):
        execute(op, statement)
    for name in ROUTINES:
        op.install_routine(name, revision)
    for statement in TRIGGERS:
        execute(op, statement)
    execute(op, SETTINGS)


def downgrade() -> None:
    for name in reversed(ROUTINES):
        kind = "VIEW" if " VIEW " in sql.routine("postgresql", name, revision) else "FUNCTION"
        execute(op, f"DROP {kind} IF EXISTS {name} CASCADE")
    for statement in reversed(sql.schema_statements("postgresql", revision)):
        words = statement[statement.index("CREATE") :].split() if "CREATE TABLE" in statement else []
        if words[:2] == ["CREATE", "TABLE"]:
            execute(op, f"DROP TABLE {words[2]} CASCADE")
