"""Tables in: CSV and XLSX files become items, opening stock and, from the apps above, more.

    read_table (tables)  ->  columns found by their titles (headers)  ->  cells read as people type them (cells)
    ->  a kind performs the import in a transaction (running), which a check rolls back

A check and an import are the same code, so what the check shows is what the import does.
"""
