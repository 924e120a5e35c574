// Taken out when the floor has a source.
