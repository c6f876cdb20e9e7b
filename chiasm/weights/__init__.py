"""Published weights <-> ours: one file per family, keys renamed, nothing missing, nothing left over."""
