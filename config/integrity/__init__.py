"""The ledger proves itself: every fact that must hold is checked each night and by hand, and the results are kept, signed."""
