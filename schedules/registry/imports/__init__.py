"""The import of the registry from sheets, as pages."""
