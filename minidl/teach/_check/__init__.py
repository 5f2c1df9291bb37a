"""A student's update rule beside minidl's: where it first departs, and which known slip that looks like."""
