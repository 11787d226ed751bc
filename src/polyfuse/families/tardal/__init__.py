"""TarDAL, TarDAL+ and TarDAL++: three trainings of one dense network. Not ours; see spec peers 6."""

from polyfuse.families.tardal.network import TarDAL, TarDALConfig

__all__ = ["TarDAL", "TarDALConfig"]
