"""From words of a command line to parts: one file for each group of options. Runs nothing.

arguments   a function's signature as a command line
calls       `name(1, two=3)`, and functions of a user's file
reward, task, mix, tools, guide     what `--reward`, `--data`, `--mix`, `--tools`, `--guide` say
"""
