"""The functions of expressions: a closed, typed registry; every one terminates and none changes a null into a value.

``FUNCTIONS`` lists them all; each family stands in a file of its own. ``registry.py`` says how a function is written.
"""

from mappings.language.functions import codes, lists, money, number, text, time
from mappings.language.functions.registry import Family, Function, Parameter
from mappings.language.types import READERS

FAMILIES: tuple[Family, ...] = (
    text.family,
    number.family,
    money.family,
    money.quantity_family,
    time.family,
    lists.family,
    codes.family,
)
FUNCTIONS: dict[str, Function] = {name: function for family in FAMILIES for name, function in family.functions.items()}


def nearest_names() -> list[str]:
    """Every name that an expression may call."""
    return sorted({*FUNCTIONS, *READERS})


__all__ = ["FAMILIES", "FUNCTIONS", "Family", "Function", "Parameter", "nearest_names"]
