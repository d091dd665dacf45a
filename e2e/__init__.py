"""End-to-end tests of the chart and a service on a real cluster: `make e2e`."""
