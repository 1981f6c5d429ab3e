"""Checks of things that a model made by machines that can tell: programs against their tests, proofs. Not rewards yet.

What is checked is never trusted: it runs in a jail (`rlft.sandbox`), it does not learn what is expected of it, and what
it says about itself counts for nothing. A check's result is a value that says why.

cases, outputs, programs    Python programs: the tests that rows of data have, what is equal, how they are run
coq                         proofs in Coq
smt                         formulas with holes, by Z3
dafny                       programs with contracts, by Dafny
hardware                    designs in Verilog, by Yosys and Icarus
lammps                      scripts of molecular dynamics, by LAMMPS
known                       what has been asked before
blocks                      where in a completion a program or proof is
"""
