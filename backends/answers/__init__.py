"""First answers, kept for those who ask twice."""
