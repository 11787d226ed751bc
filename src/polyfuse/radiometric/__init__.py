"""Files of thermal cameras: raw counts, temperatures, the visible picture inside, and how one lies on the other."""

from polyfuse.radiometric.temperature import Calibration
from polyfuse.radiometric.thermal import ThermalFile, read_thermal

__all__ = ["Calibration", "ThermalFile", "read_thermal"]
