"""The families of models: the classic methods in one file, each learned family in a folder, all as a `FusionModel`."""
