"""Who may do what: bucket policies, access control lists and what overrides them. Pure."""
