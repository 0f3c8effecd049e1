"""What a job finds around itself: file system, processes, packages."""
