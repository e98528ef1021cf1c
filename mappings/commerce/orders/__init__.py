"""Orders: money that adds up, three machines, edits, refunds.

``balance`` whether the money adds up · ``figures`` buyer's price, seller's price, payout, fees · ``machines`` the
order's and its tenders' legal moves · ``quantities`` where every unit of a line is · ``refunds`` the money over an
order's life · ``edits`` what was changed after it came in, and two channels compared · ``settlement`` what a channel
paid out, beside what it should have.
"""
