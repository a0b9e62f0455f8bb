"""Methods of the paper's unified view: each fills data source, reward and gradient coefficient."""
