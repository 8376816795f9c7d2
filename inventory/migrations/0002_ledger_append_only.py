"""What was posted stays posted: the database itself refuses to change the ledger."""

from django.db import migrations

TABLES = (
    "inventory_posting",
    "inventory_movement",
    "inventory_costentry",
    "inventory_reservationchange",
    "inventory_costlayerchange",
)

FUNCTION = """
CREATE FUNCTION inventory_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused. Post a reversal or a correction instead.', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;
"""

REVOKE = """
DO $$
DECLARE grantee_name text;
BEGIN
  FOR grantee_name IN
    SELECT DISTINCT g.grantee FROM information_schema.role_table_grants g
    WHERE g.table_schema = current_schema() AND g.table_name = '{table}'
      AND g.grantee NOT IN (current_user, 'PUBLIC')
      AND g.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
      AND NOT EXISTS (SELECT 1 FROM pg_roles r WHERE r.rolname = g.grantee AND r.rolsuper)
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM %I', grantee_name);
  END LOOP;
END $$;
"""


def protect(table):
    return migrations.RunSQL(
        sql=[
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION inventory_refuse_change()",
            REVOKE.format(table=table),
        ],
        reverse_sql=[f"DROP TRIGGER {table}_append_only ON {table}"],
    )


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [
        migrations.RunSQL(sql=FUNCTION, reverse_sql="DROP FUNCTION inventory_refuse_change()"),
        *(protect(table) for table in TABLES),
    ]
