"""The copy loop as the keeper of the scripted day, one per company: it has one answer to everything, another round."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.demo.copy_loop import CopyLoop
from deployments.sandbox.people import People

ROUNDS = 2
"""How often the loop runs after each act, so that it gets its chance to repair."""


class WithoutSerai:
    """The keeper: no survey, no matching, no switch, no parking, no reconcile, no answer to why."""

    def __init__(self, environment: Mapping[str, str], people: People) -> None:
        abroad = {
            name.replace("_BG_", "_"): value for name, value in environment.items() if "_BG_" in name
        }  # fmt: skip
        self._loops = [CopyLoop(environment), CopyLoop(abroad, currency="EUR", warehouse="plovdiv-wh")]
        self._people = people

    @property
    def failures(self) -> list[str]:
        """What the loops gave up on, in their own words."""
        return [failure for loop in self._loops for failure in loop.failures]

    def survey(self) -> str:
        return "the script has no survey"

    def go_live(self) -> str:
        return self.catch_up()

    def catch_up(self) -> str:
        for _ in range(ROUNDS):
            for loop in self._loops:
                loop.tick()
        return "copied"

    def mass_change(self) -> str:
        return self.catch_up()

    def put_back(self) -> str:
        return self.catch_up()

    def store_ready(self, number: str) -> str:
        return self.catch_up()

    def switch_market(self, *, on: bool) -> str:
        return "the script cannot be switched off for one channel" if not on else self.catch_up()

    def mend_unknown(self, sku: str) -> str:
        self.catch_up()
        self._people.enter(sku, product=sku[:7], title="Чайник «Новинка»", price="19990.00", cost="10990.00")
        self._people.receive_goods(sku, "almaty-wh", 3)
        return self.catch_up()

    def full_catalogue(self) -> str:
        return self.catch_up()

    def reconcile(self) -> str:
        return self.catch_up()

    def settled(self, number: str) -> str:
        return "the script reads no settlement report"

    def explain(self, sku: str) -> str:
        return "the script cannot say"

    def begin_run(self) -> str:
        return "the script is its own timetable"

    def ended_run(self) -> str:
        return "the script tells nobody of its rounds"
