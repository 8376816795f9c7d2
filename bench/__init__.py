"""How fast completions are, beside a floor that does the same writes without a service layer."""
