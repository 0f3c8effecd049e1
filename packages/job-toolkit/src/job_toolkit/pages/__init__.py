"""HTML pages and the charts in them, for reports that need no other package."""
