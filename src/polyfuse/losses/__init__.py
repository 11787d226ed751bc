"""Losses that several families share: functions of tensors that return a scalar to be minimised."""
