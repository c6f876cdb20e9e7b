"""Recipe -> run: the loop, procedures, optimisers, checkpoints, the bundle a run leaves.

`run.train` trains a recipe, `evaluate.evaluate` measures a bundle, `bundle.Bundle.load` opens one.
"""
