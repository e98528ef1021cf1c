"""Fulfilment as rules: by when, from where, whether at all, and what the buyer's channel is told. Pure functions.

``calendar`` when a place is open · ``deadlines`` by when an order must be answered, sent, collected · ``decisions``
what was decided about an order and goes back to its channel · ``routing`` which place sends or hands over which line ·
``returns`` who may take goods back, and to which tender the money goes · ``policy`` what a retailer chose of all that.
"""
