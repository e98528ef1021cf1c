"""A simulated Amazon marketplace: one seller's listings, orders, reports and feeds behind the Selling Partner API."""
