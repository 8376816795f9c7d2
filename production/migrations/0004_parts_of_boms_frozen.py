"""What belongs to an active or retired BOM is as frozen as its lines; what a disassembly gave back is never changed."""

from django.db import migrations

OF_BOM = ("production_bomoutput", "production_bomoperation")
APPEND_ONLY = ("production_completionoutput", "production_disassemblyline")

SUBSTITUTES = """
CREATE FUNCTION production_refuse_frozen_substitute() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
  SELECT b.state INTO found FROM production_bomline l JOIN production_bom b ON b.id = l.bom_id
  WHERE l.id = COALESCE(NEW.line_id, OLD.line_id);
  IF found IS NOT NULL AND found <> 'draft' THEN
    RAISE EXCEPTION 'The BOM is % and its substitutes are frozen. Make a draft of it and change that.', found
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER production_bomsubstitute_frozen BEFORE INSERT OR UPDATE OR DELETE ON production_bomsubstitute
  FOR EACH ROW EXECUTE FUNCTION production_refuse_frozen_substitute();
"""


class Migration(migrations.Migration):
    dependencies = [("production", "0003_periodic_tasks"), ("inventory", "0002_ledger_append_only")]

    operations = [
        *(
            migrations.RunSQL(
                sql=f"CREATE TRIGGER {table}_frozen BEFORE INSERT OR UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION production_refuse_frozen_bom()",
                reverse_sql=f"DROP TRIGGER {table}_frozen ON {table}",
            )
            for table in OF_BOM
        ),
        migrations.RunSQL(
            sql=SUBSTITUTES,
            reverse_sql="DROP TRIGGER production_bomsubstitute_frozen ON production_bomsubstitute;"
            " DROP FUNCTION production_refuse_frozen_substitute()",
        ),
        *(
            migrations.RunSQL(
                sql=f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION inventory_refuse_change()",
                reverse_sql=f"DROP TRIGGER {table}_append_only ON {table}",
            )
            for table in APPEND_ONLY
        ),
    ]
