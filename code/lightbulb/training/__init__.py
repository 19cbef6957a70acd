"""Arrays in, a fitted and measured classifier out. No store, no threads, no web."""
