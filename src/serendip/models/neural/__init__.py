"""What the kinds that are trained with PyTorch share; none of it imports PyTorch before something is fitted."""
