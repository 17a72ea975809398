"""The command line: ``domicile <subject> <action>``.

Each command is a function from what was said to an action (``shell``), so that one place asks, shows and ends them all.
"""
