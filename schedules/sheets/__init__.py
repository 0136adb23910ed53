"""Sheets: tables that people keep in .xlsx and .csv, read with care and written so that no cell runs."""
