"""Properties that hold for every mapping, checked on documents generated from its schemas; failures are shrunk.

``total``: whatever the schema allows ends as a record, a fault of the data, or a skip, and both generated variants say
the same. ``valid``: a record obeys its canonical schema. ``echo``: what was read, written and read again has the same
values, so an echo dies. ``round trip``: fields that lose nothing on paper lose nothing in fact. ``monotone``: more
stock never gives a smaller figure. Imported by nobody who does not ask for it: it brings Hypothesis along.
"""

from mappings.language.properties.running import PropertyOutcome, check_properties

__all__ = ["PropertyOutcome", "check_properties"]
