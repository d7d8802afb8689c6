"""How canonical files enter the store."""
