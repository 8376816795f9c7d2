"""An active or retired BOM keeps its lines; what a completion used is never changed afterwards."""

from django.db import migrations

LINES = """
CREATE FUNCTION production_refuse_frozen_bom() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
  SELECT b.state INTO found FROM production_bom b WHERE b.id = COALESCE(NEW.bom_id, OLD.bom_id);
  IF found IS NOT NULL AND found <> 'draft' THEN
    RAISE EXCEPTION 'BOM % is % and its lines are frozen. Make a draft of it and change that.',
      COALESCE(NEW.bom_id, OLD.bom_id), found USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER production_bomline_frozen BEFORE INSERT OR UPDATE OR DELETE ON production_bomline
  FOR EACH ROW EXECUTE FUNCTION production_refuse_frozen_bom();
"""

HEAD = """
CREATE FUNCTION production_refuse_frozen_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.state <> 'draft' THEN
      RAISE EXCEPTION 'BOM % is % and stays.', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
  END IF;
  IF OLD.state <> 'draft' AND (NEW.makes, NEW.item_id, NEW.version) IS DISTINCT FROM (OLD.makes, OLD.item_id, OLD.version)
     OR OLD.state <> 'draft' AND NEW.state = 'draft' THEN
    RAISE EXCEPTION 'BOM % is % and frozen. Make a draft of it and change that.', OLD.id, OLD.state
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER production_bom_frozen BEFORE UPDATE OR DELETE ON production_bom
  FOR EACH ROW EXECUTE FUNCTION production_refuse_frozen_head();
"""


class Migration(migrations.Migration):
    dependencies = [("production", "0001_initial"), ("inventory", "0002_ledger_append_only")]

    operations = [
        migrations.RunSQL(
            sql=LINES,
            reverse_sql="DROP TRIGGER production_bomline_frozen ON production_bomline;"
            " DROP FUNCTION production_refuse_frozen_bom()",
        ),
        migrations.RunSQL(
            sql=HEAD,
            reverse_sql="DROP TRIGGER production_bom_frozen ON production_bom; DROP FUNCTION production_refuse_frozen_head()",
        ),
        migrations.RunSQL(
            sql="CREATE TRIGGER production_completionline_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            " ON production_completionline FOR EACH STATEMENT EXECUTE FUNCTION inventory_refuse_change()",
            reverse_sql="DROP TRIGGER production_completionline_append_only ON production_completionline",
        ),
    ]
