"""What runs on any adapter: subscriptions by polling, and read-decide-append."""
