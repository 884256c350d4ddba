"""Small workflows, each run by the tests."""
