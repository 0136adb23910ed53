"""The registry: organisations and their past, bridge points, equipment, people; kept by hand or from sheets."""
