"""Guidance by soft values while sampling, no training and no gradient: SVDD beside best-of-N and SMC. Li et al. 2024,
"Derivative-Free Guidance in Continuous and Discrete Diffusion Models with Soft Value-Based Decoding", arXiv:2408.08252.

`digits`: a class-conditional diffusion model of digits, ink as the reward, and as naturalness the Fréchet distance to
real digits. `strings`: masked diffusion over 16 letters from a Markov chain, a fixed random network as the reward, and
as naturalness the chain's own, exact log-likelihood. Every row may cost about the same calls of networks (base and
plain SMC cost what a row costs); they are counted. Arms: the base, best of N, SMC, SVDD with predicted (PM) and
regressed (MC) values, and SVDD-R. SMC is there three times: each row from particles of its own, which leaves rows as
independent as SVDD's are and is what SVDD is held against; as many particles shared by a group of 16 rows, as SVDD-R
shares its rows; and the 16 rows alone as particles. What is shared earns more, and is copies. Two controls:
`hash`, a reward of strings that nothing half-made foretells, and `motif`, a rare one that the likeliest continuation of
a string does not show.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.loop import loop
from rlft.recipes import recipe
from rlft.worlds.guided import guided

svdd = recipe(guided, loop(), steps=0, prompts=16, group=8, lr=1e-4, problems=40, samples=16)


def _arm(text: str, setting: str, sampler: str, width: int, samples: int = 16) -> Arm:
    alpha, rows = {"digits": (0.003, 640)}.get(setting, (0.03, 384))
    given = {"setting": setting, "sampler": sampler, "width": width, "alpha": alpha}
    return Arm(text, {**given, "problems": rows // samples, "samples": samples}, grid={})


_COSTLY = ("own", "wide", "svdd", "mc", "r")

CLAIM = Claim(
    sentence="Without training and without gradients of the reward, choosing among candidates of each step by soft "
    "values earns more than best-of-N and SMC, in continuous and discrete diffusion, and global resampling more.",
    source="Li et al. 2024, arXiv:2408.08252",
    budget="About as many calls of networks for each row as 9 or 8 rows of the base cost (base and plain SMC: one). "
    "Regressed values also take 2048 rollouts of the base once, which are not counted.",
    scaled_down="Images of 8x8 pixels and strings of 16 letters instead of Stable Diffusion, DNA and molecules; some "
    "groups of 16 rows. α is 0.06 of the reward's deviation, which is nearly the best candidate, as in the paper.",
    real='rlft sample --model stable-diffusion-v1-5/stable-diffusion-v1-5 --prompt PROMPT --guide "svdd(alpha=0.01, '
    'candidates=20)" --reward SCORE.py:score --denoising-steps 50 --guidance 7.5 -n 16 --out PICTURES',
    metric="reward",
    table=("calls", "calls/reward", "frechet", "diversity", "judge/accuracy", "source/log_prob", "distinct"),
    shared=(),
    smoke={"problems": 1, "samples": 2, "width": 2, "iterations": 2, "fitting": 2, "rollouts": 16},
    arms={
        "digits_base": _arm("digits: the base model", "digits", "base", 1),
        "digits_best": _arm("digits: best of 9", "digits", "best_of", 9),
        "digits_smc": _arm("digits: SMC, rows of a group as particles, at the base's cost", "digits", "smc", 1),
        "digits_own": _arm("digits: SMC, 9 particles of its own for each row", "digits", "smc", 9, samples=1),
        "digits_wide": _arm("digits: SMC, 9 particles for each row, shared by a group", "digits", "smc", 9),
        "digits_svdd": _arm("digits: SVDD, predicted values, 10 candidates", "digits", "svdd", 10),
        "digits_mc": _arm("digits: SVDD, regressed values, 9 candidates", "digits", "svdd_mc", 9),
        "digits_r": _arm("digits: SVDD-R, predicted values, 10 candidates", "digits", "svdd_r", 10),
        "strings_base": _arm("strings: the base model", "strings", "base", 1),
        "strings_best": _arm("strings: best of 8", "strings", "best_of", 8),
        "strings_smc": _arm("strings: SMC, rows of a group as particles, at the base's cost", "strings", "smc", 1),
        "strings_own": _arm("strings: SMC, 8 particles of its own for each row", "strings", "smc", 8, samples=1),
        "strings_wide": _arm("strings: SMC, 8 particles for each row, shared by a group", "strings", "smc", 8),
        "strings_svdd": _arm("strings: SVDD, predicted values, 8 candidates", "strings", "svdd", 8),
        "strings_mc": _arm("strings: SVDD, regressed values, 7 candidates", "strings", "svdd_mc", 7),
        "strings_r": _arm("strings: SVDD-R, predicted values, 8 candidates", "strings", "svdd_r", 8),
        "motif_best": _arm("a rare motif: best of 8", "motif", "best_of", 8),
        "motif_svdd": _arm("a rare motif: SVDD, predicted values", "motif", "svdd", 8),
        "motif_r": _arm("a rare motif: SVDD-R, predicted values", "motif", "svdd_r", 8),
        "hash_best": _arm("a hash: best of 8", "hash", "best_of", 8),
        "hash_svdd": _arm("a hash: SVDD, predicted values", "hash", "svdd", 8),
        "hash_mc": _arm("a hash: SVDD, regressed values", "hash", "svdd_mc", 7),
    },
    statements=[
        above("digits: best-of-N earns more than the base", "digits_best", "digits_base", least=0.03),
        above("digits: SVDD earns more than best-of-N", "digits_svdd", "digits_best", least=0.06),
        above("digits: also with regressed values", "digits_mc", "digits_best", least=0.04),
        above("digits: SVDD earns more than SMC", "digits_svdd", "digits_own"),
        above("digits: SVDD-R earns more than SVDD", "digits_r", "digits_svdd", least=0.06),
        above("strings: best-of-N earns more than the base", "strings_best", "strings_base", least=0.4),
        above("strings: SVDD earns more than best-of-N", "strings_svdd", "strings_best", least=0.25),
        above("strings: also with regressed values", "strings_mc", "strings_best", least=0.25),
        above("strings: SVDD earns more than SMC", "strings_svdd", "strings_own"),
        above("strings: SVDD-R earns more than SVDD", "strings_r", "strings_svdd", least=0.25),
        *checks(
            *(
                between(
                    f"{arm} costs what best-of-N does, to a tenth", arm, f"{kind}_best", least=-n, most=n, of="calls"
                )
                for kind, n in (("digits", 9.0), ("strings", 12.8))
                for arm in (f"{kind}_{name}" for name in _COSTLY)
            ),
            above(
                "digits: SVDD's are farther from real ones than best-of-N's",
                "digits_svdd",
                "digits_best",
                least=5.0,
                of="frechet",
            ),
            above("digits: SVDD-R's are farther still", "digits_r", "digits_svdd", least=10.0, of="frechet"),
            above("digits: SMC that shares particles earns more than SVDD", "digits_wide", "digits_svdd", least=0.05),
            above("digits: its rows are copies", "digits_svdd", "digits_wide", least=4.0, of="diversity"),
            above("digits: SVDD-R's are, too", "digits_svdd", "digits_r", least=4.0, of="diversity"),
            above(
                "strings: SMC that shares particles earns more than SVDD", "strings_wide", "strings_svdd", least=0.25
            ),
            below(
                "strings: SVDD-R's are less natural than best-of-N's",
                "strings_r",
                "strings_best",
                most=-0.3,
                of="source/log_prob",
            ),
            above(
                "strings: SVDD's are no less natural, for the likeliest letters are what it looks at",
                "strings_svdd",
                "strings_best",
                of="source/log_prob",
            ),
            above("strings: its rows are copies", "strings_svdd", "strings_wide", least=0.5, of="distinct"),
            below(
                "a motif that the likeliest letters do not show: SVDD earns no more than best-of-N",
                "motif_svdd",
                "motif_best",
            ),
            above("resampling finds it all the same", "motif_r", "motif_best", least=0.5),
            below("a hash cannot be regressed: SVDD earns less than best-of-N", "hash_mc", "hash_best", most=-0.05),
            above(
                "but predicted strings are strings, and SVDD scores sixteen times as many as best-of-N",
                "hash_svdd",
                "hash_best",
                least=100,
                of="calls/reward",
            ),
            between("with which it does about as well", "hash_svdd", "hash_best", least=-0.05, most=0.07),
        ),
    ],
)
