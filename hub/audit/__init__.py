"""Who did what to whose data: recorded before it is answered, chained, and searched by auditors. docs/audit.md"""
