"""Music: what a track sounds like, what a cluster looks like, and which track fits which cluster."""
