"""The unit of PET voxels: from activity to the standardised uptake value by body weight, where the tags allow it.

SUVbw = activity [Bq/ml] * weight [g] / dose [Bq], the dose as it has decayed by the time the series is corrected to.

| tag | use |
|---|---|
| Units (0054,1001) | BQML is converted; GML is SUV already; anything else stays raw |
| Patient's Weight (0010,1030) | kilograms |
| Radionuclide Total Dose (0018,1074) | Bq at injection |
| Radionuclide Half Life (0018,1075) | seconds |
| Radiopharmaceutical Start DateTime (0018,1078), else Start Time (0018,1072) | injection |
| Series Date and Time (0008,0021), (0008,0031) | start of the scan |
| Decay Correction (0054,1102) | START: to the start of the scan; ADMIN: to the injection; NONE stays raw |

Source: DICOM PS3.3 C.8.9.1 and C.8.9.4; the vendor-neutral calculation that QIBA published for BQML. Acquisition times
that lie before the series' own are taken instead, since a derived series has the time at which it was made.
"""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

DAY = 24 * 3600


class Uptake(NamedTuple):
    """What makes the unit of a PET series."""

    factor: float
    """Stored values, after their rescaling, times this are in the unit."""
    unit: str
    """"SUVbw", "BQML" or "raw counts"."""
    notes: tuple[str, ...] = ()
    """Why it is not SUVbw."""


def uptake_of(data: Any, acquired: list[str]) -> Uptake:
    """The unit of a PET series, and the factor to it.

    Args:
        data: Data set of its first file.
        acquired: Acquisition dates and times of all files, "YYYYMMDDHHMMSS" each; may be empty.
    """
    units = str(data.get("Units", "") or "").upper()
    if units == "GML" and str(data.get("SUVType", "BW") or "BW").upper() == "BW":
        return Uptake(1.0, "SUVbw")
    if units != "BQML":
        return Uptake(1.0, "raw counts", (f"units {units or 'are not said'}: values stay as stored, no SUV",))
    corrected = data.get("CorrectedImage") or []
    corrections = {str(word).upper() for word in ([corrected] if isinstance(corrected, str) else corrected)}
    if corrections and not {"ATTN", "DECY"} <= corrections:
        return Uptake(1.0, "BQML", ("not corrected for attenuation and decay: values stay in Bq/ml, no SUV",))
    try:
        return Uptake(_factor(data, acquired), "SUVbw")
    except _Missing as error:
        return Uptake(1.0, "BQML", (f"{error}: values stay in Bq/ml, no SUV",))


class _Missing(Exception):
    """A tag that the conversion needs is not there, or makes no sense."""


def _factor(data: Any, acquired: list[str]) -> float:
    """Grams per Bq."""
    weight = _number(data, "PatientWeight") * 1000
    agents = data.get("RadiopharmaceuticalInformationSequence")
    if not agents:
        raise _Missing("RadiopharmaceuticalInformationSequence is missing")
    dose, half_life = (_number(agents[0], name) for name in ("RadionuclideTotalDose", "RadionuclideHalfLife"))
    correction = str(data.get("DecayCorrection", "") or "").upper()
    if correction == "ADMIN":
        return weight / dose
    if correction != "START":
        raise _Missing(f"DecayCorrection is {correction or 'missing'}")
    start = _moment(str(data.get("SeriesDate", "") or ""), str(data.get("SeriesTime", "") or ""))
    moments = [moment for text in acquired if (moment := _moment(text[:8], text[8:])) is not None]
    if start is None or (moments and min(moments) < start):
        start = min(moments) if moments else None
    if start is None:
        raise _Missing("SeriesTime is missing")
    injected, has_date = _injection(agents[0], start)
    elapsed = (start - injected).total_seconds()
    if elapsed < 0 and not has_date:
        elapsed += DAY  # injected before midnight
    if not 0 <= elapsed < DAY:
        raise _Missing("the scan does not start within a day after the injection")
    return float(weight / (dose * 2 ** (-elapsed / half_life)))


def _injection(agent: Any, start: datetime.datetime) -> tuple[datetime.datetime, bool]:
    """When the dose was injected, and whether its date is known; else it is that of the scan."""
    text = str(agent.get("RadiopharmaceuticalStartDateTime", "") or "")
    if (moment := _moment(text[:8], text[8:])) is not None:
        return moment, True
    time = str(agent.get("RadiopharmaceuticalStartTime", "") or "")
    if (moment := _moment(start.strftime("%Y%m%d"), time)) is not None:
        return moment, False
    raise _Missing("RadiopharmaceuticalStartTime is missing")


def _number(data: Any, name: str) -> float:
    """A positive number."""
    try:
        value = float(data[name].value)
    except (KeyError, TypeError, ValueError):
        raise _Missing(f"{name} is missing") from None
    if not 0 < value < float("inf"):
        raise _Missing(f"{name} is {value:g}")
    return value


def _moment(date: str, time: str) -> datetime.datetime | None:
    """A date and a time of DICOM's, fractions and zones left out; None if they are none."""
    clock = time.split(".")[0].split("+")[0].split("-")[0].ljust(6, "0")[:6]
    try:
        return datetime.datetime.strptime(date + clock, "%Y%m%d%H%M%S") if time else None
    except ValueError:
        return None
