"""Checks of a value: each function is one, with its name, its severity and its words."""

import dagster as dg

from clustering_assets.defs.checks import Checks, Verdict


def test_a_function_beside_an_asset_is_all_that_a_check_takes():
    checks = Checks("numbers")

    @checks("There are numbers.", blocking=True)
    def some(value):
        return Verdict(bool(value), None if value else "There are none.")

    @checks("The numbers are small.")
    def small(value):
        return Verdict(max(value, default=0) < 10, metadata={"largest": max(value, default=0)})

    @dg.asset(check_specs=checks.specs)
    def numbers(context):
        return dg.MaterializeResult(check_results=checks.results(given))

    def found():
        result = dg.materialize([numbers], raise_on_error=False)
        return result.success, {
            e.check_name: (e.passed, e.severity.value, e.description)
            for e in result.get_asset_check_evaluations()
        }

    given = [1, 12]
    assert found() == (True, {"some": (True, "ERROR", None), "small": (False, "WARN", None)})
    given = []
    assert found() == (False, {"some": (False, "ERROR", "There are none."), "small": (True, "WARN", None)})
