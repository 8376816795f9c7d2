"""Tables of production: bills of materials come in. How imports work in general stands in inventory.importing."""
