"""Random sequences of calls on a store, compared step by step with a small model of the contract."""
