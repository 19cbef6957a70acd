"""What Light Bulb does, without HTTP: asking, labelling, confirming, scoring, learning."""
