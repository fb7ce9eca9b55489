"""The original's three tables, the ledger of attempts, and the routines that decide."""

from __future__ import annotations

import re

import sql
from alembic import op
from worker.db import servers
from worker.db.dialect import named
from worker.db.migration import execute
from worker.db.objects import schema_objects

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In the order in which they need each other. What one dialect alone needs stands among them: the other has no file.
ROUTINES = [
    "dialer_refuse",
    "dialer_bent",
    "dialer_printable",
    "dialer_offset",
    "dialer_read_instant",
    "dialer_now",
    "dialer_setting",
    "dialer_setting_number",
    "dialer_instant",
    "dialer_local",
    "dialer_zone_known",
    "dialer_time",
    "dialer_window_holds",
    "dialer_window_open",
    "dialer_window_next",
    "dialer_wake",
    "dialer_wait",
    "dialer_rules",
    "dialer_lease_alive",
    "dialer_stat_trunk",
    "dialer_stat_attempt",
    "dialer_fresh",
    "dialer_deferred",
    "dialer_project_states",
    "dialer_settings_before_write",
    "dialer_offset_written",
    "dialer_clients_check",
    "dialer_clients_before_insert",
    "dialer_clients_before_update",
    "dialer_clients_after_insert",
    "dialer_clients_after_update",
    "dialer_params_before_write",
    "dialer_params_after_write",
    "dialer_trunks_before_write",
    "dialer_trunks_after_write",
    "dialer_gate",
    "dialer_windows",
    "dialer_pick_text",
    "dialer_pick_windows",
    "dialer_pick_fresh",
    "dialer_pick_scan",
    "dialer_pick",
    "dialer_next",
    "dialer_project_until",
    "dialer_project_settle",
    "dialer_owns",
    "dialer_case_lock",
    "dialer_claims_free",
    "dialer_claim_take",
    "dialer_claim",
    "dialer_trouble_write",
    "dialer_trouble_report",
    "dialer_release",
    "dialer_project_start",
    "dialer_project_stop",
    "dialer_project_report",
    "dialer_project_count",
    "dialer_worker_start",
    "dialer_worker_beat",
    "dialer_worker_stop",
    "dialer_asterisk_own",
    "dialer_asterisk_yield",
    "dialer_asterisk_report",
    "dialer_agents_write",
    "dialer_prune",
    "dialer_reap",
    "dialer_work",
    "dialer_open_attempts",
    "dialer_trunk_ensure",
    "dialer_trunk_lock",
    "dialer_trunk_room",
    "dialer_invalid_count",
    "dialer_post",
    "dialer_trunk_settle",
    "dialer_trunk_trip",
    "dialer_away_note",
    "dialer_away_end",
    "dialer_case_settle",
    "dialer_attempt_step",
    "dialer_attempt_begin",
    "dialer_attempt_advance",
    "dialer_abandoned_add",
    "dialer_attempt_finish",
    "dialer_abandon_count",
    "dialer_abandon_ledger",
    "dialer_pacing_load",
    "dialer_pacing_save",
    "dialer_journal_write",
    "dialer_stat_pacing",
    "dialer_project_gate",
    "dialer_why",
    "dialer_alike",
    "dialer_why_count",
    "dialer_invariants",
    "dialer_warnings",
    "dialer_stat_hour",
    "dialer_stat_day",
    "dialer_stat_outcome",
    "dialer_stat_agent",
    "dialer_stat_project",
]

POSTGRESQL_TRIGGERS = [
    """CREATE TRIGGER dialer_clients_before_insert BEFORE INSERT ON dialer_clients
       FOR EACH ROW EXECUTE FUNCTION dialer_clients_before_insert()""",
    # Not OF checked: a claim touches nothing else and pays nothing here.
    """CREATE TRIGGER dialer_clients_before_update BEFORE UPDATE OF case_name, project_id, phone_number, priority, utc,
           used, call_back, allowed_start, allowed_stop, call_back_period, deferred_time, deferred_done, created, id,
           deferred_kind, inserted_at, recall, recall_period
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
    """CREATE TRIGGER dialer_settings_before_write BEFORE INSERT OR UPDATE ON dialer_settings
       FOR EACH ROW EXECUTE FUNCTION dialer_settings_before_write()""",
    """CREATE TRIGGER dialer_trunks_before_write BEFORE INSERT OR UPDATE OF trunk, asterisk, dial_template,
           max_lines, calls_per_second, burst ON dialer_trunks
       FOR EACH ROW EXECUTE FUNCTION dialer_trunks_before_write()""",
    """CREATE TRIGGER dialer_trunks_after_write AFTER INSERT OR UPDATE OF dial_template, max_lines,
           calls_per_second, burst ON dialer_trunks
       FOR EACH ROW EXECUTE FUNCTION dialer_trunks_after_write()""",
]

# Here a trigger has one event, and what several share is a procedure.
MARIADB_TRIGGERS = [
    *(
        f"""CREATE OR REPLACE TRIGGER dialer_params_before_{event.lower()} BEFORE {event} ON dialer_params FOR EACH ROW
        CALL dialer_params_before_write({key}, NEW.project_id, NEW.`lines`, NEW.dial_time, NEW.case_limit, NEW.sort,
            NEW.type, NEW.exten, NEW.context, NEW.queue, NEW.zone, NEW.asterisk, NEW.trunk, NEW.caller_id,
            NEW.abandon_seconds, NEW.abandon_target, NEW.abandon_hours, NEW.abandon_days, NEW.abandon_action,
            NEW.calls_per_agent, NEW.predictive_agents, NEW.dial_ratio, NEW.amd, NEW.machine_action,
            NEW.machine_period, NEW.priority, NEW.call_time)"""
        # INSERT's 0 and NULL are the next one; what the server has given stays.
        for event, key in (("INSERT", "coalesce(nullif(NEW.id, 0), 1)"), ("UPDATE", "IF(NEW.id <=> OLD.id, 1, NEW.id)"))
    ),
    """CREATE OR REPLACE TRIGGER dialer_params_after_insert AFTER INSERT ON dialer_params FOR EACH ROW
        CALL dialer_params_after_write()""",
    """CREATE OR REPLACE TRIGGER dialer_params_after_update AFTER UPDATE ON dialer_params FOR EACH ROW
        CALL dialer_params_after_write()""",
    """CREATE OR REPLACE TRIGGER dialer_params_after_delete AFTER DELETE ON dialer_params FOR EACH ROW
        CALL dialer_params_after_write()""",
    *(
        f"""CREATE OR REPLACE TRIGGER dialer_settings_before_{event.lower()} BEFORE {event} ON dialer_settings
        FOR EACH ROW CALL dialer_settings_before_write(NEW.name, NEW.value, NEW.description)"""
        for event in ("INSERT", "UPDATE")
    ),
    """CREATE OR REPLACE TRIGGER dialer_trunks_before_insert BEFORE INSERT ON dialer_trunks FOR EACH ROW
        CALL dialer_trunks_before_write(NEW.trunk, NEW.asterisk, NEW.dial_template, NEW.max_lines,
            NEW.calls_per_second, NEW.burst)""",
    """CREATE OR REPLACE TRIGGER dialer_trunks_before_update BEFORE UPDATE ON dialer_trunks FOR EACH ROW
        CALL dialer_trunks_before_write(NEW.trunk, NEW.asterisk, NEW.dial_template, NEW.max_lines,
            NEW.calls_per_second, NEW.burst)""",
    """CREATE OR REPLACE TRIGGER dialer_trunks_after_insert AFTER INSERT ON dialer_trunks FOR EACH ROW
        CALL dialer_trunks_after_write()""",
    """CREATE OR REPLACE TRIGGER dialer_trunks_after_update AFTER UPDATE ON dialer_trunks FOR EACH ROW
        CALL dialer_trunks_after_write()""",
]

# Written so that it can be run again.
SETTINGS = """
INSERT {ignore} INTO dialer_settings (name, value, description) VALUES
    ('server_zone', '{zone}',
     'zone of cases that name none and whose project names none; taken from the server at installation'),
    ('virtual_clock', 'false',
     'true: claims and results go by the instants that the worker gives; for simulations only'),
    ('max_call_seconds', '14400', 'a call that nobody can ask for is over after this long'),
    ('abandoned_hours', '72', 'a number that was abandoned is called only with an agent guaranteed for so long'),
    ('journal_hours', '48', 'decisions of the pacing are kept for so long')
"""
# What each dialect says in its own words: the triggers, an INSERT that may find its rows there, how one drops.
TRIGGERS = {"postgresql": POSTGRESQL_TRIGGERS, "mariadb": MARIADB_TRIGGERS}
IGNORE = {"postgresql": "", "mariadb": "IGNORE"}
DROP = {"postgresql": "DROP {kind} IF EXISTS {name} CASCADE", "mariadb": "DROP {kind} IF EXISTS {name}"}


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    for statement in sql.schema_statements(dialect, revision):
        execute(op, statement)
    op.install_objects(ROUTINES, TRIGGERS[dialect], revision)
    zone = named(dialect).server_zone(connection).replace("'", "''")
    execute(op, SETTINGS.format(ignore=IGNORE[dialect], zone=zone))
    servers.know(connection, named(dialect), op.get_context().opts["database"], "of the first migration")


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for one in reversed(schema_objects(dialect, ROUTINES, [], revision)):
        execute(op, DROP[dialect].format(kind=one.kind.upper(), name=one.name))
    for statement in reversed(sql.schema_statements(dialect, revision)):
        created = re.search(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", statement, re.MULTILINE)
        if created is not None:
            execute(op, DROP[dialect].format(kind="TABLE", name=created[1]))
