"""Raw networks F(x, c_noise, cond). Images, sound and points differ here and in ``data/`` only."""
