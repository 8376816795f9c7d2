"""The bench of published BOMs carries a small set through every step, and says what is absent."""

import pytest

from bench import data_sets
from bench.carrying import measure_set
from bench.data_sets import STEPS, is_there, measure_data_sets, show
from inventory.models import StockBalance
from production.models import Completion, InspectionVerdict


@pytest.mark.skipif(not is_there("inventree_demo"), reason="the data set inventree_demo is not beside the repository")
def test_a_set_is_carried_through_every_step(db, ledger_stays_true):
    measured = measure_set("inventree_demo")

    row = measured.as_row()
    assert set(measured.seconds) == set(STEPS)
    assert all(seconds > 0 for seconds in measured.seconds.values())
    assert measured.findings == []
    assert row["orders"] == Completion.objects.count() > 1
    assert all(completion.is_reversed for completion in Completion.objects.all())
    assert InspectionVerdict.objects.exists()
    assert not StockBalance.objects.filter(item__in=Completion.objects.values("item")).exclude(quantity=0).exists()


def test_a_set_that_is_absent_is_named_and_not_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data_sets, "BOM_SETS", tmp_path)

    found = measure_data_sets()
    show(found)

    assert found["rows"] == []
    assert capsys.readouterr().out.splitlines() == [
        f"not measured: {name} lies beside the repository, in shared/data/bom/{name}, and is not there"
        for name in ("adventureworks", "mendel90", "respiraworks_ventilator", "inventree_demo")
    ]
