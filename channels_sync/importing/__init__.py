"""Tables of selling: listings and rules come in and go out. How imports work in general stands in inventory.importing."""
