"""What the model may propose by itself: calibrated confidence, and proposals above the threshold."""
