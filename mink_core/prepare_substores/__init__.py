"""What goes into the stores around the log, checked and encoded in one place for every adapter: a module a store."""
