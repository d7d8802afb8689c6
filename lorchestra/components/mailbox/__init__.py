"""Mail in files (mbox, Maildir, .eml) as raw records in the form of the Gmail API."""
