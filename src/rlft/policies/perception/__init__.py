"""Pictures and sound in front of a language model: what its decoder embeds in place of some tokens. Not a policy.

`media` reads what problems show, a `front.Front` makes of it what the model's tower reads and what stands for it in the
prompt, `sight` is what the decoder is given for it, and `choose` finds the front of a model by its class.
"""
