"""SMFNet: base, detail and graph features, what each is good for, gates, scales and attention."""

from polyfuse.families.smfnet.explained.findings import SMFNetFindings, find

__all__ = ["SMFNetFindings", "find"]
