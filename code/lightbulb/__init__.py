"""Light Bulb: label a dataset by active learning, and serve the model that comes of it."""

__version__ = "0.1.0"
