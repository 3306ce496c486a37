"""What logic answers to other regions: who lives here, and where users of here are connected."""
