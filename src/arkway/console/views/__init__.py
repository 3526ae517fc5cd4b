"""What is shown of what the admin API answers? Pure functions: documents in, cells out."""
