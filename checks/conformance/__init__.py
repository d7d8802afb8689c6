"""How far the JSONata engines and the schema validator agree with the references: `make conformance`."""
