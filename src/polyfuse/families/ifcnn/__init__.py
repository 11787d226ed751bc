"""IFCNN: the larger of both sources' features, feature by feature. Not ours; see spec peers 2."""

from polyfuse.families.ifcnn.network import IFCNN, IFCNNConfig

__all__ = ["IFCNN", "IFCNNConfig"]
