"""A service's resources: what functions get by the types of their parameters, and how it is opened and closed."""
