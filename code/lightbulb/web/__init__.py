"""HTTP: JSON under /api, a page for each job, pictures by item id.

A handler parses, makes one service call, and shapes the answer.
"""
