"""What every step shares: paths, the table's schema, failures, files by rename. Standard library only."""
