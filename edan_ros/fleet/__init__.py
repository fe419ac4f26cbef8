"""Processing of any number of recordings on worker processes, here or on a Dask cluster."""
