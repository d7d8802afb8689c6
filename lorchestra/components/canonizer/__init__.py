"""`can`: runs registered JSONata transforms over JSON Lines, and shows that their results keep their schemas."""
