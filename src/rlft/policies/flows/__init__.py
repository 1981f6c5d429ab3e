"""Flow policies for environments that know how likely their denoising steps were."""
