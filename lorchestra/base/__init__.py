"""Used by all other packages; uses none of them."""
