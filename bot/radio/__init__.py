"""What a radio plays and how one piece becomes the next; knows no chat."""
