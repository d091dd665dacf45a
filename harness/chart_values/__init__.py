"""Values of the chart: those of the examples, and any that its schema takes."""
