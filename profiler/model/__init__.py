"""The words of the toolkit as frozen types. Pure: no I/O, no clock."""
