"""The $operations: one file each, listed in hub.operations.table; hub.rest.operations brings HTTP."""
