"""Why a model answered so: recorded evidence, attributions, and a score of how faithful they are."""
