"""Every module here is loaded: its classes are the zoo."""
