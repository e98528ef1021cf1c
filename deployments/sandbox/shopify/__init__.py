"""A simulated Shopify shop: GraphQL over real HTTP, with state, books, points, webhooks and Shopify's traps."""
