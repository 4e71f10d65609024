"""Everything that knows Dagster: assets, IO managers, sensors, jobs, checks, partitions and the update."""
