"""From a model's name to a ready model."""

from polyfuse.registry.loading import (
    ARCHITECTURES,
    CLASSIC,
    DEFAULT,
    EXPORTERS,
    FAMILIES,
    IMPORTERS,
    ModelEntry,
    export_smfnet,
    import_fnet,
    import_smfnet,
    list_models,
    load,
    read_card,
)

__all__ = [
    "ARCHITECTURES",
    "CLASSIC",
    "DEFAULT",
    "EXPORTERS",
    "FAMILIES",
    "IMPORTERS",
    "ModelEntry",
    "export_smfnet",
    "import_fnet",
    "import_smfnet",
    "list_models",
    "load",
    "read_card",
]
