"""What settings of the store and of the server do to appends and reads: each beside what is usual, in the same rounds."""
