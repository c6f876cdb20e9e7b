"""From files to `Batch`: rows, one file per modality, the feature store, and the official data sets."""
