"""PostgreSQL: the connection pool, failover between hosts, and batched reads."""
