"""FNet-T: a small student of FNet that fuses in real time on a CPU."""
