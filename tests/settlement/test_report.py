"""docs/settlement-contracts.md says what the committed artefacts are."""

from __future__ import annotations

from settlement import report


def test_the_table_of_classes_is_that_of_the_artefacts() -> None:
    assert report.classes() in report.PAGE.read_text(), "run `python settlement/report.py --classes`"
