"""Processes that are kept running: started, watched, started again, stopped, their output kept."""
