"""Measuring the whole: a scripted annotator over the real services, and benchmarks with bare baselines."""
