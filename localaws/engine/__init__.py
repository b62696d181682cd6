"""Executes pipelines and jobs."""
