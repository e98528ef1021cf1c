"""A simulated Bitrix24 portal: the classic REST methods over real HTTP, with state, books, limits, events, traps."""
