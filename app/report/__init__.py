"""Reports for print: what a run was, did and found, in one file without a script."""
