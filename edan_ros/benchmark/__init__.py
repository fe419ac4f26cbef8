"""What `edan benchmark` measures of this machine, of models and of the pipeline, and its report."""
