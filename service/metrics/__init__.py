"""What is counted and measured: kept in memory that all processes share, told in Prometheus' form."""
