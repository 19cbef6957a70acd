"""Files on disk become items: finding them, and turning their bytes into what an encoder reads."""
