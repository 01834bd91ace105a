"""Pictures before any network: read within limits, put right, brought to the size that encoders take."""
