"""Settling two thousand orders: load, pay in batches, wait for settlement, report."""
