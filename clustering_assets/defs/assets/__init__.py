"""The assets: each gathers its inputs, calls one function of the domain and wraps the result with metadata."""
