"""What the API says of itself: OpenAPI of the routes, and the page under /docs."""
