"""Making what stands in front for turns that left the view."""
