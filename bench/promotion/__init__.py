"""What a promotion moves and how long it takes, beside `docker pull`, `tag` and `push` and beside skopeo."""
