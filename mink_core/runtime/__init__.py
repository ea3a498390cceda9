"""What runs on any adapter: subscriptions, live and durable, projections, and read-decide-append."""
