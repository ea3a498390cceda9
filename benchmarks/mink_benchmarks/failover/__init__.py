"""Failover under load: three PostgreSQL nodes under Patroni and etcd on this machine, with a ledger.

    python -m mink_benchmarks.failover --seconds 60

Writers of two drivers reach the cluster through one URL that names the three nodes, as does everybody who reads. The
primary is killed again and again; nobody restarts the application. Afterwards every acknowledged event must be stored,
none twice, and three readers who followed the feed all the while must have been given all of it, in order.
"""
