"""Image data sets as plain arrays: built in, downloaded, from files and from folders."""
