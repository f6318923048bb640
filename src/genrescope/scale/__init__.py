"""Work over many files on many machines, on Ray: an edge of the package, which only the command line imports."""
