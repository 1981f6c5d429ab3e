"""The command `rlft`: one file a command. Parses, calls, prints; decides nothing."""
