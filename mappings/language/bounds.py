"""What one document may cost, whatever a mapping says: how many items its loops go through, how large values grow.

A mapping is safe to let strangers edit: a list made of a list of lists, or a loop in a loop in a loop, is a fault of
the document long before it is a machine without memory.
"""

from __future__ import annotations

from typing import Any

from mappings.language.values import MAX_VALUES, Refused, list_of


class Work:
    """What is left for the inner loops of one document."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = [MAX_VALUES]  # what `plain` and `native` copy inside loops counts too

    def take(self, values: Any) -> list[Any]:
        """The list, after its items were counted; raises ``Refused`` when the document has used up its share."""
        items = list_of(values)
        self.left[0] -= len(items) + 1
        if self.left[0] < 0:
            raise Refused("work", f"loops inside loops would go through more than {MAX_VALUES:,} items")
        return items
