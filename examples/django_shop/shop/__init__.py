"""A Django shop whose orders are told by events: rows, events and messages in one transaction of Django's."""
