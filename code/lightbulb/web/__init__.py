"""HTTP: JSON under /api, one page for each job, pictures by item id. Parse, one service call, shape the answer."""
