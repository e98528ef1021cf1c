"""Is each mapping held by its own tests? Changes mappings on purpose and counts who notices: lint, or their tests."""
