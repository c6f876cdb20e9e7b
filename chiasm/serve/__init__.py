"""Answers to raw inputs: the predictor in Python; the HTTP service and the page stand on it."""
