"""What people read, in the languages it is said in; one data file a language. Knows no chat."""
