"""The REST edge of the stock ledger, and what the REST edges of all apps share: resources, fields, references, keys, schema."""
