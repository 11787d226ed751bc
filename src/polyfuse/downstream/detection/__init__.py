"""Object detection on sources, baselines and fused pictures, scored against true boxes."""
