"""One file per loss family; functions of tensors that return a scalar to be minimised."""
