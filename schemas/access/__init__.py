"""Who may speak with Kafka, over gRPC and over HTTP, and from where."""
