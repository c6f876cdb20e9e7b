"""Several streams -> one."""
