"""Products as each channel is to see them: their identifiers, their content, its categories, and what is still missing.

What surprises here: nothing is invented to fill a gap. What a channel requires and a record lacks is named, with the
place and the remedy, and the listing is not published until somebody fills it.
"""

from mappings.commerce.products.categories import Attribute
from mappings.commerce.products.content import CONTENT_FIELDS, Listing, listed
from mappings.commerce.products.identifiers import gtin, mpn, restricted, worldwide
from mappings.commerce.products.readiness import Missing, Requirement, missing
from mappings.commerce.products.reviews import rating

__all__ = [
    "CONTENT_FIELDS",
    "Attribute",
    "Listing",
    "Missing",
    "Requirement",
    "gtin",
    "listed",
    "missing",
    "mpn",
    "rating",
    "restricted",
    "worldwide",
]
