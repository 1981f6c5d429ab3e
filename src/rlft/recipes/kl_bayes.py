"""Fine-tuning as Bayesian inference, on a language that can be listed. Korbak et al. 2022, arXiv:2205.11275.

A small model has learned words of up to four letters in which vowels and consonants alternate. With 7 tokens and 4
decisions there are 1555 rows: prior, posterior pi0 exp(r/beta)/Z and every divergence are sums and not estimates. The
reward likes one vowel repeated, a or e, so the posterior has two modes. Arms: reward alone, also with a learning rate
chosen for the posterior (early stopping); an entropy bonus in place of the prior; KL control and DPG, which fit one
posterior in the reverse and in the forward KL; and these two where only the output layer learns and cannot represent
it. Controls: a constant reward, a temperature at which the posterior is nearly the prior, DPG without its baseline, and
a target given by moments. Training sees the reward, and never the posterior that it is measured against.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.methods.dpg import dpg
from rlft.methods.kl_control import kl_control
from rlft.methods.rloo import rloo
from rlft.recipes import recipe
from rlft.worlds.words import words

kl_bayes = recipe(words, kl_control(beta=0.1), steps=200, prompts=8, group=32, lr=3e-3, every=50)


def best_moments(metrics: Lines, evaluations: Lines) -> Numbers:
    """The smallest distances at any evaluation of the run, the first one included: early stopping by an oracle."""
    names = ("tv", "reverse_kl", "forward_kl")
    return {f"best/{name}": min(line[name] for line in evaluations) for name in names}


_OUTPUT = {"trained": "output"}
_BROAD = {"beta": 1.0}

CLAIM = Claim(
    sentence="RL without a KL penalty collapses; with one it is variational inference of the posterior "
    "pi0 exp(r/beta)/Z, and other divergences, such as the forward KL of DPG, fit the same posterior and are not RL.",
    source="Korbak, Perez and Buckley 2022, arXiv:2205.11275",
    budget="51,200 words and 200 updates for each arm that trains",
    scaled_down="the paper argues and measures nothing; here a language of four letters and 26 thousand parameters",
    real="rlft train --model MODEL --data PROMPTS.jsonl --reward SCORE.py:score --method kl_control --method.beta 0.1",
    metric="tv",
    higher=False,
    table=("reverse_kl", "forward_kl", "expected_reward", "entropy", "kl_prior", "second_mode", "best/tv"),
    shared=("rows/drawn", "updates"),
    grid={"lr": (1e-3, 3e-3, 1e-2)},
    more=best_moments,
    curve="tv",
    smoke={"steps": 2, "imitation": 10, "every": 1},
    arms={
        "base": Arm("the prior, untrained", {"steps": 0}, grid={}),
        "rl": Arm("reward alone", {"method": rloo()}, grid={}),
        "slow": Arm(
            "reward alone, learning rate chosen to end near the posterior",
            {"method": rloo(), "every": 10},
            grid={"lr": (3e-6, 1e-5, 3e-5)},
        ),
        "entropy": Arm(
            "reward and an entropy bonus, its weight tuned",
            {"method": kl_control(beta=0.0, entropy=0.1)},
            grid={"method.entropy": (0.03, 0.1, 0.3), "lr": (1e-3, 3e-3)},
        ),
        "kl": Arm("KL control: reverse KL to the posterior", {"method": kl_control(beta=0.1)}),
        "dpg": Arm("DPG: forward KL to the posterior", {"method": dpg(beta=0.1)}),
        "plain": Arm("DPG without its baseline", {"method": dpg(beta=0.1, baseline=0.0)}),
        "output_kl": Arm("KL control of the output layer", {"method": kl_control(beta=0.1), **_OUTPUT}),
        "output_dpg": Arm("DPG of the output layer", {"method": dpg(beta=0.1), **_OUTPUT}),
        "broad_kl": Arm("KL control at beta 1", {"method": kl_control(beta=1.0), **_BROAD}, grid={}),
        "broad_dpg": Arm("DPG at beta 1", {"method": dpg(beta=1.0), **_BROAD}, grid={}),
        "constant_kl": Arm(
            "KL control, constant reward", {"method": kl_control(beta=0.1), "reward": "constant"}, grid={}
        ),
        "constant_dpg": Arm("DPG, constant reward", {"method": dpg(beta=0.1), "reward": "constant"}, grid={}),
        "moments": Arm(
            "DPG to a target with two moments at one half",
            {"method": dpg(beta=1.0), "reward": "moments", **_BROAD},
            grid={},
        ),
    },
    statements=[
        below("RL alone collapses: less than half a nat of entropy is left", "rl", most=0.5, of="entropy"),
        above("RL alone leaves the prior by 3 nats more than KL control", "rl", "kl", least=3.0, of="kl_prior"),
        below("KL control ends near the posterior in the reverse KL", "kl", most=0.15, of="reverse_kl"),
        below("DPG ends near the same posterior in the forward KL", "dpg", most=0.15, of="forward_kl"),
        above("RL slowed or stopped at its best moment stays farther off", "slow", "kl", least=0.2, of="best/tv"),
        above("an entropy bonus, without the prior, stays farther off", "entropy", "kl", least=0.2),
        below("an output layer covers better under DPG", "output_dpg", "output_kl", most=-0.2, of="forward_kl"),
        below(
            "and fits the reverse KL better under KL control", "output_kl", "output_dpg", most=-0.05, of="reverse_kl"
        ),
        below("KL control of an output layer drops a mode", "output_kl", "output_dpg", most=-0.05, of="second_mode"),
        *checks(
            below(
                "DPG's forward KL is no worse than KL control's where both could be 0",
                "dpg",
                "kl",
                most=0.02,
                of="forward_kl",
            ),
            above("the baseline brings DPG nearer", "plain", "dpg", least=0.02),
            below("at beta 1 both are near the posterior: KL control", "broad_kl", most=0.1),
            below("at beta 1 both are near the posterior: DPG", "broad_dpg", most=0.1),
            between("at beta 1 they agree", "broad_dpg", "broad_kl", least=-0.05, most=0.05, of="forward_kl"),
            below("a constant reward moves nothing: KL control", "constant_kl", most=0.05, of="kl_prior"),
            below("a constant reward moves nothing: DPG", "constant_dpg", most=0.05, of="kl_prior"),
            between("moments of one half are met: vowels", "moments", least=0.47, most=0.53, of="vowels"),
            between("moments of one half are met: the mode of e", "moments", least=0.47, most=0.53, of="second_mode"),
        ),
    ],
)
