"""Everything that outlives the process: labels and items in a database, embeddings and models in files."""
