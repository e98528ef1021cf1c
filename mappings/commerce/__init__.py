"""The rules of trade: pure functions that decide. No I/O, no clock; what they need is handed in.

``merge`` one record out of what the channels say · ``match`` which record a document is about · ``stock`` how much a
channel may show · ``prices`` which price holds, what a channel's price becomes of it ·
``orders`` whether the money adds up, where an order stands · ``breaker`` what a person looks at first.
"""
