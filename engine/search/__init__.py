"""The search: schedules, updates, snapshots, checkpoints and the loop around them."""
